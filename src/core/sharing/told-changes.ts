import type { ToldExport } from './told-export.ts';

/** What a member is told next, in parts that a call can carry. */
export interface ExportsPart {
  begins?: true;
  ends?: true;
  exports: ToldExport[];
  gone?: { namespace: string; name: string }[];
}

export interface PartBounds {
  /** Exports in one part. */
  count: number;
  /** JSON of them, in characters; one that is longer travels alone. */
  chars: number;
}

/**
 * The parts by which a member that knows `told` comes to know `wanted`; undefined `told`: it knows nothing, or what it knows is of
 * another life of either side. None when it knows all.
 * @param told texts by key, as they were told
 * @param wanted the same of what is to be known
 */
export function partsFor(
  told: ReadonlyMap<string, string> | undefined,
  wanted: ReadonlyMap<string, { told: ToldExport; text: string }>,
  bounds: PartBounds,
): ExportsPart[] {
  const changed = [...wanted].filter(([key, { text }]) => told?.get(key) !== text).map(([, one]) => one);
  const gone = [...(told?.keys() ?? [])].filter((key) => !wanted.has(key)).map(toName);
  if (told !== undefined && changed.length === 0 && gone.length === 0) return [];
  const parts: ExportsPart[] = [{ exports: [] }];
  let chars = 0;
  for (const { told: one, text } of changed) {
    const last = parts.at(-1);
    const isFull = last === undefined || last.exports.length >= bounds.count || chars + text.length > bounds.chars;
    if (isFull && chars > 0) {
      parts.push({ exports: [one] });
      chars = text.length;
    } else {
      last?.exports.push(one);
      chars += text.length;
    }
  }
  const [first] = parts;
  const end = parts.at(-1);
  if (first === undefined || end === undefined) return [];
  if (gone.length > 0) first.gone = gone;
  if (told === undefined) {
    first.begins = true;
    end.ends = true;
  }
  return parts;
}

function toName(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}
