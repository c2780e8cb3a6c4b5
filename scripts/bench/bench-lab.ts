/** What the benches share: their lab, what they run there, and how they print figures. */
import { readdirSync, readFileSync } from 'node:fs';
import { kubectl } from '../../test/e2e/reach-lab.ts';

export { kubectl, kubectlCommand, labFolder, labName, run } from '../../test/e2e/reach-lab.ts';

export const IMAGE = 'headcut.dev/demo:0.1.0';

/** Runs on the node of that name. */
export const onNode = (node: string) => ({ nodeSelector: { 'kubernetes.io/hostname': node } });

/** A Deployment of the demo, which asks for next to nothing and ends at once. */
export function deployment(at: { namespace: string; name: string }, replicas: number, spec: object = {}): object {
  const labels = { app: at.name };
  const container = { name: 'c', image: IMAGE, resources: { requests: { cpu: '1m' } } };
  const template = {
    metadata: { labels },
    spec: { terminationGracePeriodSeconds: 0, containers: [container], ...spec },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: at,
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
}

export async function apply(cluster: string, ...items: object[]): Promise<void> {
  await kubectl(cluster, ['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

/** A namespace on `a` whose pods may run on other members; it is deleted at the end of the block. */
export async function offloadedNamespace(name: string): Promise<AsyncDisposable> {
  const labels = { 'headcut.dev/offload': 'true' };
  await apply('a', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  return {
    [Symbol.asyncDispose]: async () => void (await kubectl('a', ['delete', 'namespace', name, '--wait=false'])),
  };
}

/** A process of a pod on this machine, by the host name in its environment. */
export function processOf(pod: string): string {
  return processWith(`HOSTNAME=${pod}`) ?? fail(`no process of pod ${pod} runs here`);
}

/** A process with that entry in its environment, and that word in its command line. */
export function processWith(variable: string, word = ''): string | undefined {
  return readdirSync('/proc').find((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word) &&
        readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(variable)
      );
    } catch {
      return false; // The process ended while we looked.
    }
  });
}

function fail(message: string): never {
  throw new Error(message);
}

export function row(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(66)} ${value}\n`);
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
