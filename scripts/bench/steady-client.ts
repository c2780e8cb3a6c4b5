/**
 * `steady-client.ts URL MS`: asks 20 times a second, each time on a connection of its own, whether or not the former ones were
 * answered; prints a line per request: the time at which it was sent (ms since 1970) and 1 when it was answered within
 * that many milliseconds, else 0.
 */
import { get } from 'node:http';

const EVERY_MS = 50;

const [url = '', answerWithinMs = ''] = process.argv.slice(2);

function ask(): void {
  const at = Date.now();
  const tell = (ok: boolean): void => void process.stdout.write(`${at} ${ok ? 1 : 0}\n`);
  const request = get(url, { agent: false, signal: AbortSignal.timeout(Number(answerWithinMs)) }, (response) => {
    response.resume();
    response.once('end', () => tell(response.statusCode === 200));
    response.once('error', () => tell(false));
  });
  request.once('error', () => tell(false));
}

setInterval(ask, EVERY_MS);
