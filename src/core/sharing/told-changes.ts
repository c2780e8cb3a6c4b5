import { exportKey, type ToldExport } from './told-export.ts';

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
  /** Values in that JSON, as core/json-bounds counts them. */
  values: number;
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
  let values = 0;
  for (const { told: one, text } of changed) {
    const last = parts.at(-1);
    const more = valuesIn(text);
    const isLarge = chars + text.length > bounds.chars || values + more > bounds.values;
    const isFull = last === undefined || last.exports.length >= bounds.count || isLarge;
    if (isFull && chars > 0) {
      parts.push({ exports: [one] });
      chars = text.length;
      values = more;
    } else {
      last?.exports.push(one);
      chars += text.length;
      values += more;
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

/**
 * The same as a part that a member could not read, in parts of half as many exports, so that what it cannot read is found; of one
 * with a single export that one is left out, and what the member knew of it goes, which is not so any more.
 */
export function smallerParts({ exports, begins, ends, gone = [] }: ExportsPart): ExportsPart[] {
  const middle = Math.ceil(exports.length / 2);
  const halves: ExportsPart[] =
    exports.length > 1
      ? [{ exports: exports.slice(0, middle) }, { exports: exports.slice(middle) }]
      : [{ exports: [], gone: exports.map((one) => toName(exportKey(one))) }];
  const isFirst = begins === true || gone.length > 0;
  return [
    ...(isFirst ? [{ exports: [], ...(begins ? { begins } : {}), ...(gone.length === 0 ? {} : { gone }) }] : []),
    ...halves,
    ...(ends ? [{ exports: [], ends }] : []),
  ];
}

/** No fewer values than a text has: what looks like one in names and texts counts too. */
function valuesIn(text: string): number {
  let values = 0;
  for (const character of text) if (',:{['.includes(character)) values += 1;
  return values;
}

/** Of the key of an export. */
export function toName(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}
