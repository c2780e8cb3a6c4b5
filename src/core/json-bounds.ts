import { CodedError } from './coded-error.ts';

/**
 * What it costs to read a JSON text, seen before it is read: `[[[[…` of 8 MB is a second of the event loop and half a gigabyte, while the
 * same size of long texts, which ConfigMaps and Secrets are, is some milliseconds.
 */

/** Values, names and members in one text: about 30 ms to read, and 20 MB. */
export const MAX_JSON_VALUES = 200_000;
/** Objects of Kubernetes have some 20 levels; what walks through them afterwards is recursive. */
export const MAX_JSON_DEPTH = 100;

const [QUOTE, BACKSLASH, COMMA, COLON, OPEN_BRACE, OPEN_BRACKET, CLOSE_BRACE, CLOSE_BRACKET] = [...'"\\,:{[}]'].map(
  (character) => character.charCodeAt(0),
);

/** Why a text costs too much to be read; undefined when it does not, which says nothing about whether it is JSON. */
export function problemOfJson(text: string): string | undefined {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfText(text, at);
    else if (code === COMMA || code === COLON) values += 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
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

/** Where the text that begins at `at` ends: at the next quote with an even number of backslashes before it. */
function endOfText(text: string, at: number): number {
  for (let end = text.indexOf('"', at + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
