import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One end of the tunnel: a network namespace, the node's address in it, and the address that the tunnel gives it. */
export interface TunnelEnd {
  namespace: string;
  address: string;
  inside: string;
}

const LINK = 'bench0';
const PORT = 51999;
/** As the pod network has it where nodes are one Ethernet apart. */
const MTU = 1420;

/**
 * A WireGuard tunnel between two nodes with nothing around it, of the same kind as the pod network's: what that can reach at best.
 * @param wireguardGo the program that serves it where the kernel has no WireGuard
 */
export async function openBareTunnel(
  ends: readonly [TunnelEnd, TunnelEnd],
  wireguardGo: string,
): Promise<{ close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'headcut-bench-'));
  const keys = await Promise.all(ends.map(makeKeys));
  const daemons: ChildProcess[] = [];
  for (const [index, end] of ends.entries()) {
    const [own, other, far] = [keys[index]!, keys[1 - index]!, ends[1 - index]!];
    const keyFile = join(folder, `key-${index}`);
    await writeFile(keyFile, own.privateKey, { mode: 0o600 });
    daemons.push(...(await openEnd(end, { keyFile, publicKey: other.publicKey, far, wireguardGo })));
  }
  const close = async (): Promise<void> => {
    for (const daemon of daemons) if (daemon.pid !== undefined) process.kill(-daemon.pid, 'SIGTERM');
    for (const { namespace } of ends)
      await run('ip', ['-n', namespace, 'link', 'delete', LINK]).catch(() => {
        // It went with its program.
      });
    await rm(folder, { recursive: true });
  };
  return { close };
}

async function makeKeys(): Promise<{ privateKey: string; publicKey: string }> {
  const privateKey = (await run('wg', ['genkey'])).stdout.trim();
  const child = run('wg', ['pubkey']);
  child.child.stdin?.end(privateKey);
  return { privateKey, publicKey: (await child).stdout.trim() };
}

async function openEnd(
  { namespace, inside }: TunnelEnd,
  { keyFile, publicKey, far, wireguardGo }: { keyFile: string; publicKey: string; far: TunnelEnd; wireguardGo: string },
): Promise<ChildProcess[]> {
  const enter = [`--net=/run/netns/${namespace}`];
  const set = `wg set ${LINK} private-key ${keyFile} listen-port ${PORT} peer ${publicKey} allowed-ips ${far.inside}/32 endpoint ${far.address}:${PORT}`;
  const up = `ip address add ${inside}/32 dev ${LINK} && ip link set ${LINK} mtu ${MTU} up && ip route add ${far.inside}/32 dev ${LINK}`;
  const hasKernel = await run('nsenter', [...enter, 'ip', 'link', 'add', LINK, 'type', 'wireguard']).then(
    () => true,
    () => false,
  );
  if (hasKernel) {
    await run('nsenter', [...enter, 'sh', '-ec', `${set} && ${up}`]);
    return [];
  }
  // wireguard-go and wg meet in a folder of that name, which two of them cannot share.
  const script = `mkdir -p /var/run/wireguard && mount -t tmpfs none /var/run/wireguard && ${wireguardGo} -f ${LINK} & sleep 1; ${set} && ${up}; wait`;
  const daemon = spawn('nsenter', [...enter, 'unshare', '--mount', 'sh', '-c', script], {
    detached: true,
    stdio: 'ignore',
  });
  await sleep(2_500);
  return [daemon];
}
