import { CodedError } from '../../core/coded-error.ts';
import { execute } from '../../runtime/command.ts';
import { type CgroupMounts, signalProcess } from '../cgroups.ts';
import type { ClusterTopology } from '../topology.ts';
import { findProcesses, requireProcesses } from './cluster-processes.ts';
import { AGENT } from './fault.ts';

/**
 * The wall clock of an agent jumps. A kernel has one for all processes, so the agent's own `Date` is shifted, by Node's
 * inspector: a signal opens it, on the loopback of the agent's network alone, and it is closed again at once.
 */

/** A process that stands still for a while must not keep its shifted clock. */
const INSPECTOR_WITHIN_MS = 20_000;

/** @param shiftMs from now on it shows so much more than the machine's clock */
export async function shiftAgentClock(mounts: CgroupMounts, cluster: ClusterTopology, shiftMs: number): Promise<void> {
  for (const pid of requireProcesses(mounts, cluster, AGENT)) await evaluateIn(pid, shiftExpression(shiftMs));
}

/** The machine's clock again; nothing where no agent runs, since a new one begins with that. */
export async function resetAgentClock(mounts: CgroupMounts, cluster: ClusterTopology): Promise<void> {
  for (const pid of findProcesses(mounts, cluster, AGENT)) await evaluateIn(pid, shiftExpression(0));
}

/** JavaScript that makes `Date` of its process show another time; dates that are given are what they are. */
export function shiftExpression(shiftMs: number): string {
  return `(() => {
  const real = (globalThis.unshiftedDate ??= Date);
  const now = () => real.now() + ${shiftMs};
  globalThis.Date = ${shiftMs} === 0 ? real : new Proxy(real, {
    construct: (target, args) => new target(...(args.length === 0 ? [now()] : args)),
    apply: () => new real(now()).toString(),
    get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
  });
  const { scheduler } = process.getBuiltinModule('node:timers/promises');
  void scheduler.wait(200).then(() => process.getBuiltinModule('node:inspector').close());
})()`;
}

async function evaluateIn(pid: number, expression: string): Promise<void> {
  signalProcess(pid, 'SIGUSR1');
  const client = [process.execPath, '--input-type=module', '--eval', clientScript(expression)];
  try {
    await execute(['nsenter', '--target', String(pid), '--net', '--', ...client], {
      timeoutMs: INSPECTOR_WITHIN_MS + 5_000,
    });
  } catch (error) {
    throw new CodedError('Unavailable', `the clock of the agent with process ID ${pid} cannot be set`, error);
  }
}

/** Runs in the agent's network: asks its inspector, which takes a moment to listen, to evaluate. */
function clientScript(expression: string): string {
  const message = { id: 1, method: 'Runtime.evaluate', params: { expression } };
  return `
import { scheduler } from 'node:timers/promises';
const late = AbortSignal.timeout(${INSPECTOR_WITHIN_MS});
const evaluate = async () => {
  const list = await fetch('http://127.0.0.1:9229/json/list', { signal: AbortSignal.timeout(2000) });
  const [{ webSocketDebuggerUrl }] = await list.json();
  const socket = new WebSocket(webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    late.onabort = () => reject(new Error('no answer'));
    socket.onerror = () => reject(new Error('no connection'));
    socket.onopen = () => socket.send(${JSON.stringify(JSON.stringify(message))});
    socket.onmessage = ({ data }) => {
      const { result } = JSON.parse(data);
      if (result?.exceptionDetails) reject(new Error(result.exceptionDetails.text));
      else resolve();
    };
  });
};
for (;;) {
  try {
    await evaluate();
    process.exit(0);
  } catch (error) {
    if (late.aborted) throw error;
    await scheduler.wait(100);
  }
}`;
}
