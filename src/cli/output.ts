import { isPlain, plainLine } from '../core/plain-text.ts';
import type { CommandContext } from './command.ts';
import { UsageError } from './command.ts';

/** Longer than all that we say; a status that a peer sends may be longer. */
const MAX_BULLET = 4_000;

/** A result in all its forms. */
export interface Result {
  /** The documented JSON shape. */
  data: unknown;
  text(wide: boolean): string;
  /** For `-o name`: `kind/name`, one a line. */
  names?(): string[];
}

/** Prints a result in the form that the user asked for. */
export async function emit(context: Pick<CommandContext, 'form' | 'out'>, result: Result): Promise<void> {
  switch (context.form) {
    case 'json':
      return context.out(JSON.stringify(result.data, undefined, 2));
    case 'yaml': {
      const { stringify } = await import('yaml');
      const yaml = stringify(result.data, { lineWidth: 0 }).trimEnd();
      // JSON is YAML too, in which everything can be escaped without being another text.
      return context.out(isPlain(yaml) ? yaml : JSON.stringify(result.data, undefined, 2));
    }
    case 'name':
      if (result.names === undefined) throw new UsageError('-o name is for commands that list objects');
      for (const name of result.names()) context.out(name);
      return;
    default:
      return context.out(result.text(context.form === 'wide'));
  }
}

/** Lines with `- ` in front; a break in one of them is no line. */
export function bullets(lines: readonly string[]): string {
  return lines.map((line) => `- ${plainLine(line, MAX_BULLET)}`).join('\n');
}

/** Blocks of text with an empty line between them; empty ones are left out. */
export function blocks(...parts: string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}
