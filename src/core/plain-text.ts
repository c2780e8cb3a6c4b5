/**
 * Texts of other members, users and guests are data, wherever people read them: in terminals, logs, events and conditions. What
 * a terminal would act on, or what shows something else than what is there, is written out.
 */

/** Controls (C0, C1), formats (direction overrides, zero-width characters, tags), lone surrogates, separators of lines. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The longest text of another member that is shown to people; an event of Kubernetes takes as much. */
export const MAX_LINE = 1_000;
/** The longest text that is logged as one field. */
export const MAX_LOGGED = 4_096;

/** Lines stay lines and tabs stay tabs; all else that is no plain character is written as `\u001b`. */
export function plainText(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character === '\n' || character === '\t' ? character : escaped(character),
  );
}

/** One line, in which line breaks and tabs are written out too. @param maxLength in UTF-16 units; what is longer ends with `…` */
export function plainLine(text: string, maxLength = MAX_LINE): string {
  // Not all of a text of megabytes is gone through for its beginning.
  const beginning = text.length > maxLength ? text.slice(0, maxLength) : text;
  const line = beginning.replace(UNSAFE, escaped);
  return line.length > maxLength || beginning !== text ? `${line.slice(0, maxLength - 1)}…` : line;
}

/** The same JSON, in which the characters that a terminal would act on are escaped: their meaning is kept. */
export function plainJson(json: string): string {
  return plainText(json);
}

/** True when a text has nothing in it that plainText would write out. */
export function isPlain(text: string): boolean {
  return plainText(text) === text;
}

/** A reason as conditions and events have it, in CamelCase; what is none is `Unknown`. */
export function plainReason(reason: string): string {
  const letters = reason.replace(/[^A-Za-z0-9]/g, '').slice(0, 63);
  return /^[A-Za-z]/.test(letters) ? letters : 'Unknown';
}

/** Of one code point, which may be two UTF-16 units, as JSON escapes it. */
function escaped(character: string): string {
  return [...Array(character.length).keys()]
    .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
    .join('');
}
