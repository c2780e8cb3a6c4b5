import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PeerPaths } from '../../../src/agent/network/peer-paths.ts';
import type { PeerLink, PeerState } from '../../../src/agent/ports.ts';
import { CodedError } from '../../../src/core/coded-error.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

/** Time that passes only when told to. */
class FakeClock implements Clock {
  #now = 1_000;
  #wake: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wake.push(resolve);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** Lets time pass in ticks of a quarter of a second. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      this.#now += 250;
      for (const wake of this.#wake.splice(0)) wake();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

const candidate = { address: '192.0.2.2', port: 51820 };

describe('the way to a peer', () => {
  let clock: FakeClock;
  let paths: PeerPaths;
  let answers: boolean;
  let state: PeerState;
  let streams: Duplex[];
  let refuses: boolean;
  let ended: AbortController;

  beforeEach(() => {
    clock = new FakeClock();
    [answers, state, streams, refuses, ended] = [true, 'Connected', [], false, new AbortController()];
    let asked = false;
    const prober = {
      setTarget: () => {},
      provedEndpoint: () => (answers ? candidate : undefined),
      probe: () => {
        const first = !asked;
        asked = true;
        return first ? undefined : answers;
      },
    };
    const stream = (): Promise<Duplex> => {
      if (refuses) return Promise.reject(new CodedError('Unavailable', 'no'));
      const opened = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
      streams.push(opened);
      return Promise.resolve(opened);
    };
    const dedicatedStream = () => Promise.reject(new CodedError('Unavailable', 'behind NAT'));
    const link = { name: 'b', stream, dedicatedStream } as unknown as PeerLink;
    const links = { get: () => Object.assign(link, { state }) };
    const onChange = (): void => {};
    paths = new PeerPaths({ prober, links, wireGuardPort: () => 9, clock, logger: silentLogger, onChange });
    paths.setTargets(new Map([['b', { publicKey: 'B', candidates: [candidate] }]]));
    void paths.run(ended.signal);
  });
  afterEach(() => {
    ended.abort();
  });

  it('is UDP at the address that answers', async () => {
    await clock.pass(1_000);
    expect(paths.pathTo('b')).toBe('UDP');
    expect(paths.endpointOf('b')).toEqual({ path: 'udp', endpoint: '192.0.2.2:51820' });
  });

  it('leads through the peer port when probes stay unanswered, and back', async () => {
    await clock.pass(1_000);
    answers = false;
    await clock.pass(9_000);
    expect(paths.pathTo('b')).toBe('TLS');
    expect(paths.endpointOf('b')).toMatchObject({ path: 'relay' });
    expect(streams).toHaveLength(1);
    answers = true;
    await clock.pass(9_000);
    expect(paths.pathTo('b')).toBe('UDP');
    await clock.pass(31_000);
    expect(streams[0]?.destroyed).toBe(true);
  });

  it('stays as it is while only the agent of the peer is away', async () => {
    await clock.pass(1_000);
    [answers, state] = [false, 'Suspect'];
    await clock.pass(20_000);
    expect(paths.pathTo('b')).toBe('UDP');
    expect(paths.endpointOf('b')).toMatchObject({ path: 'udp' });
  });

  it('is none when the peer answers in no way', async () => {
    await clock.pass(1_000);
    [answers, state] = [false, 'Unreachable'];
    await clock.pass(10_000);
    expect(paths.pathTo('b')).toBeUndefined();
    expect(paths.isSettled('b')).toBe(true);
    [answers, state] = [true, 'Connected'];
    await clock.pass(3_000);
    expect(paths.pathTo('b')).toBe('UDP');
  });

  it('never leads into a relay without a stream', async () => {
    await clock.pass(1_000);
    [answers, refuses] = [false, true];
    await clock.pass(9_000);
    expect(paths.pathTo('b')).toBeUndefined();
    expect(paths.endpointOf('b')).toMatchObject({ path: 'udp' });
    refuses = false;
    await clock.pass(6_000);
    expect(paths.pathTo('b')).toBe('TLS');
  });

  it('dials again when the stream breaks', async () => {
    answers = false;
    await clock.pass(9_000);
    streams[0]?.destroy();
    await clock.pass(3_000);
    expect(streams.length).toBeGreaterThan(1);
    expect(paths.pathTo('b')).toBe('TLS');
  });
});
