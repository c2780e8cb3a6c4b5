import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { processOf } from './bench-lab.ts';

/** Longer than any answer takes, also on a busy machine. */
const ANSWER_WITHIN_MS = 2_000;
const STEADY_REQUESTS = 40;
const LOOK_EVERY_MS = 250;
const LOOKS = 240;

/** How the requests of one client went. */
export interface Answers {
  sent: number;
  failed: number;
  /** Seconds from the beginning of the time looked at to the last failed request; 0 without one. */
  lastFailureS: number;
}

/** A client in the network of a pod, which asks a Service 20 times a second until the end of the block. */
export class SteadyClient implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #requests: { at: number; ok: boolean }[] = [];

  /** @param answerWithinMs an answer that comes later counts as none */
  constructor(pod: string, url: string, answerWithinMs = ANSWER_WITHIN_MS) {
    const script = join(import.meta.dirname, 'steady-client.ts');
    const argv = ['--target', processOf(pod), '--net', process.execPath, script, url, String(answerWithinMs)];
    this.#child = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) return;
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const [at, ok] = line.split(' ');
      this.#requests.push({ at: Number(at), ok: ok === '1' });
    });
  }

  /** Resolves when all requests of the last two seconds were answered. */
  async untilSteady(): Promise<void> {
    for (let look = 0; look < LOOKS; look += 1) {
      const latest = this.#requests.slice(-STEADY_REQUESTS);
      if (latest.length === STEADY_REQUESTS && latest.every(({ ok }) => ok)) return;
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error('the Service does not answer every request, though nothing is broken yet');
  }

  /** What became of the requests sent since then. @param since ms since 1970 */
  answersSince(since: number): Answers {
    const failures = this.#requests.filter(({ at, ok }) => at >= since && !ok).map(({ at }) => at);
    return {
      sent: this.#requests.filter(({ at }) => at >= since).length,
      failed: failures.length,
      lastFailureS: Math.max(0, ...failures.map((at) => (at - since) / 1000)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill();
    await once(this.#child, 'exit');
  }
}
