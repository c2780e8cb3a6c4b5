import { CodedError } from '../core/coded-error.ts';
import { parseJson } from '../core/json-bounds.ts';
import { checkMessage } from './check.ts';
import { MAX_MESSAGE_CHARS, type SessionMessage } from './messages.ts';

/**
 * Members of before protocol 6 tell all pods in one line, which may be long. It is read pod by pod, with pauses: nothing else would
 * happen while all of it is parsed at once.
 */

/** How those members begin such a line. */
const START = '{"type":"pods","pods":[';
/** What is read between two pauses, in characters. */
const CHARS_AT_ONCE = 256 * 1024;

const [QUOTE, BACKSLASH, COMMA, OPEN_BRACE, OPEN_BRACKET, CLOSE_BRACE, CLOSE_BRACKET] = [...'"\\,{[}]'].map((char) =>
  char.charCodeAt(0),
);

/** @param start the first characters of a line */
export function isListOfPods(start: string): boolean {
  return start.startsWith(START);
}

/** A long line of a session with all pods. @param pause lets others go on. Throws InvalidArgument. */
export async function readListOfPods(
  line: string,
  from: string,
  pause: () => Promise<unknown>,
): Promise<SessionMessage> {
  if (!isListOfPods(line)) throw new CodedError('InvalidArgument', `a line of the session with ${from} is too long`);
  const pods: Extract<SessionMessage, { type: 'pods' }>['pods'] = [];
  let pausedAt = 0;
  for (const [begin, end] of elements(line, START.length)) {
    if (end - begin > MAX_MESSAGE_CHARS)
      throw new CodedError('InvalidArgument', `a pod in the session with ${from} is too long`);
    if (begin < end) {
      const message = checkMessage({ type: 'pods', pods: [parse(line.slice(begin, end), from)] }, from);
      if (message?.type === 'pods') pods.push(...message.pods);
    }
    if (end - pausedAt < CHARS_AT_ONCE) continue;
    pausedAt = end;
    await pause();
  }
  return { type: 'pods', pods };
}

/** Where each element of the array that begins at `at` begins and ends; ends with the array. */
function* elements(text: string, at: number): Generator<[number, number]> {
  let depth = 0;
  let begin = at;
  let isText = false;
  for (let i = at; i < text.length; i += 1) {
    const char = text.charCodeAt(i);
    if (isText) {
      if (char === BACKSLASH) i += 1;
      else if (char === QUOTE) isText = false;
    } else if (char === QUOTE) isText = true;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) depth += 1;
    else if (depth === 0 && (char === COMMA || char === CLOSE_BRACKET)) {
      yield [begin, i];
      begin = i + 1;
      if (char === CLOSE_BRACKET) return;
    } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth -= 1;
  }
  yield [begin, text.length];
}

function parse(text: string, from: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new CodedError('InvalidArgument', `a line of the session with ${from} is no JSON`, error);
  }
}
