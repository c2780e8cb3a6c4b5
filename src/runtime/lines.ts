import { StringDecoder } from 'node:string_decoder';

/** What a line may begin with, for those who judge its length by that. */
const START_CHARS = 64;

/**
 * The lines of a stream of UTF-8 text, empty ones left out; throws what the stream throws. Takes time in proportion to the text.
 * (node:readline swallows errors of its input when iterated.)
 * @param maxLength a longer line throws RangeError, so that a peer cannot fill our memory; may depend on how the line begins
 */
export async function* readLines(
  stream: AsyncIterable<Buffer>,
  maxLength: number | ((start: string) => number) = 32 * 1024 * 1024,
): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let parts: string[] = [];
  let length = 0;
  const add = (part: string): void => {
    parts.push(part);
    length += part.length;
    const most = typeof maxLength === 'number' ? maxLength : maxLength(startOf(parts));
    if (length > most) throw new RangeError(`a line of the stream is longer than ${most} characters`);
  };
  const take = (): string => {
    const line = parts.join('');
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of stream) {
    const text = decoder.write(chunk);
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      add(text.slice(from, end));
      from = end + 1;
      const line = take();
      if (line !== '') yield line;
    }
    if (from < text.length) add(text.slice(from));
  }
  if (length > 0) yield take();
}

function startOf(parts: readonly string[]): string {
  let start = '';
  for (const part of parts) {
    if (start.length >= START_CHARS) break;
    start += part.slice(0, START_CHARS);
  }
  return start.slice(0, START_CHARS);
}
