import { CodedError } from './coded-error.ts';

/**
 * What it costs to read a JSON text, seen before it is read: `[[[[…` of 8 MB is a second of the event loop and half a gigabyte, while the
 * same size of long texts, which ConfigMaps and Secrets are, is some milliseconds.
 */

/** Values, names and members in one text: about 30 ms to read, and 20 MB. */
export const MAX_JSON_VALUES = 200_000;
/** Names that differ: each is half a microsecond or more, ten times what one costs that was there before. */
export const MAX_JSON_NAMES = 20_000;
/** Objects of Kubernetes have some 20 levels; what walks through them afterwards is recursive. */
export const MAX_JSON_DEPTH = 100;

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN_BRACE, OPEN_BRACKET, CLOSE_BRACE, CLOSE_BRACKET] = [...'"\\,:{[}]'].map(
  (character) => character.charCodeAt(0),
);

/** Why a text costs too much to be read; undefined when it does not, which says nothing about whether it is JSON. */
export function problemOfJson(text: string): string | undefined {
  const names = new Set<number>();
  let values = 0;
  let depth = 0;
  let textAt: number | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      textAt = at + 1;
      at = endOfText(text, at);
    } else if (code === COMMA) values += 1;
    else if (code === COLON) {
      values += 1;
      // What comes before a colon is a name.
      if (textAt !== undefined) names.add(hashOf(text, textAt, at));
      textAt = undefined;
      if (names.size > MAX_JSON_NAMES) return `it has more than ${MAX_JSON_NAMES} different names`;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      values += 1;
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return `it is nested more than ${MAX_JSON_DEPTH} levels deep`;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth -= 1;
    if (values > MAX_JSON_VALUES) return `it has more than ${MAX_JSON_VALUES} values`;
  }
  return undefined;
}

/** As JSON.parse, of a text that costs no more than it may; throws InvalidArgument otherwise. */
export function parseJson(text: string): unknown {
  const problem = problemOfJson(text);
  if (problem !== undefined) throw new CodedError('InvalidArgument', problem);
  return JSON.parse(text);
}

/** FNV-1a, 32 bits: of two names that share one only one is counted. */
function hashOf(text: string, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}

/** Where the text that begins at `at` ends: at the next quote with an even number of backslashes before it. */
function endOfText(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
