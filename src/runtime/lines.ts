import { StringDecoder } from 'node:string_decoder';

/**
 * The lines of a stream of UTF-8 text, empty ones left out; throws what the stream throws.
 * (node:readline swallows errors of its input when iterated.)
 * @param maxLength a longer line throws RangeError, so that a peer cannot fill our memory
 */
export async function* readLines(stream: AsyncIterable<Buffer>, maxLength = 32 * 1024 * 1024): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const parts = (rest + decoder.write(chunk)).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > maxLength) throw new RangeError(`a line of the stream is longer than ${maxLength} characters`);
    for (const line of parts) if (line !== '') yield line;
  }
  if (rest !== '') yield rest;
}
