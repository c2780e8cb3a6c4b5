import { createSocket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UdpProber } from '../../../src/agent/network/udp-prober.ts';
import { createWireGuardKeys, type WireGuardKeys } from '../../../src/core/network/wireguard-key.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

interface Side {
  keys: WireGuardKeys;
  prober: UdpProber;
  port: number;
}

let count = 0n;

async function side(): Promise<Side> {
  const keys = createWireGuardKeys();
  const nonce = (): bigint => {
    count += 1n;
    return count;
  };
  const prober = new UdpProber({ ...keys, port: 0, nonce, clock: systemClock, logger: silentLogger });
  return { keys, prober, port: await prober.open() };
}

const target = ({ keys, port }: Side) => ({ publicKey: keys.publicKey, candidates: [{ address: '127.0.0.1', port }] });

/** Packet rules are not there: the probers' own ports stand for those of WireGuard. */
describe('probes of UDP', () => {
  let a: Side;
  let b: Side;
  beforeEach(async () => {
    [a, b] = [await side(), await side()];
  });
  afterEach(() => {
    a.prober.close();
    b.prober.close();
  });

  /** Whether one of several probes was answered; a loaded machine takes its time. */
  async function verdict(from: Side): Promise<boolean> {
    from.prober.probe('peer');
    for (let tries = 0; tries < 5; tries += 1) {
      await systemClock.sleep(50 * 2 ** tries);
      if (from.prober.probe('peer') === true) return true;
    }
    return false;
  }

  it('are answered by members, and tell where the answer came from', async () => {
    a.prober.setTarget('peer', target(b));
    b.prober.setTarget('peer', target(a));
    expect(a.prober.probe('peer')).toBeUndefined();
    expect(await verdict(a)).toBe(true);
    expect(a.prober.provedEndpoint('peer')).toEqual({ address: '127.0.0.1', port: b.port });
  });

  it('are not answered to strangers', async () => {
    a.prober.setTarget('peer', target(b));
    expect(await verdict(a)).toBe(false);
    expect(a.prober.provedEndpoint('peer')).toBeUndefined();
  });

  it('are not answered when nobody is there', async () => {
    a.prober.setTarget('peer', { publicKey: b.keys.publicKey, candidates: [] });
    expect(await verdict(a)).toBe(false);
  });

  it('show where a member is that nobody knows how to reach', async () => {
    a.prober.setTarget('peer', target(b));
    b.prober.setTarget('peer', { publicKey: a.keys.publicKey, candidates: [] });
    expect(await verdict(a)).toBe(true);
    expect(await verdict(b)).toBe(true);
  });

  it('tell whether large datagrams get there and back', async () => {
    a.prober.setTarget('peer', target(b));
    const tries = { tries: 2, everyMs: 100 };
    expect(await a.prober.probeSize('peer', 1_452, tries)).toBe(false);
    b.prober.setTarget('peer', target(a));
    expect(await a.prober.probeSize('peer', 1_452, { ...tries, everyMs: 1_000 })).toBe(true);
    expect(await a.prober.probeSize('nobody', 1_452, tries)).toBe(false);
  });

  it('do not mind what strangers send', async () => {
    const socket = createSocket('udp4');
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(48), Buffer.from('headcut\u0001'.padEnd(48, 'x'), 'latin1')])
      await new Promise((resolve) => socket.send(bytes, b.port, '127.0.0.1', resolve));
    socket.close();
    a.prober.setTarget('peer', target(b));
    b.prober.setTarget('peer', target(a));
    expect(await verdict(a)).toBe(true);
  });
});
