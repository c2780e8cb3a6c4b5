import { readdir, readFile } from 'node:fs/promises';

/**
 * Kills what runs in the containers of a pod, and the process that holds their sandbox: so they do not start again in it, but in a new one,
 * behind the pod's gate. Needs to see the node's processes, and CAP_KILL.
 * @param uid of the pod; names the cgroups of its containers, whatever driver made them (pkg/kubelet/cm/pod_container_manager_linux.go)
 * @returns how many processes there were
 */
export async function killPodProcesses(
  uid: string,
  { procFolder = '/proc', kill = process.kill.bind(process) } = {},
): Promise<number> {
  const found = await processesOf(uid, procFolder);
  const errors = found.flatMap((pid) => {
    try {
      kill(pid, 'SIGKILL');
      return [];
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ESRCH' ? [] : [error];
    }
  });
  if (errors.length > 0) throw errors[0];
  return found.length;
}

async function processesOf(uid: string, procFolder: string): Promise<number[]> {
  // systemd's names have no dashes.
  const names = [`pod${uid}`, `pod${uid.replaceAll('-', '_')}`];
  const pids = (await readdir(procFolder)).filter((name) => /^\d+$/.test(name));
  const groups = await Promise.all(
    // One that has ended meanwhile has none.
    pids.map(async (pid) => [pid, await readFile(`${procFolder}/${pid}/cgroup`, 'utf8').catch(() => '')] as const),
  );
  return groups.filter(([, text]) => isIn(text, names)).map(([pid]) => Number(pid));
}

/** Whether a path in the text of /proc/PID/cgroup leads through one of these, as a whole or as the last part of a systemd slice. */
function isIn(text: string, names: readonly string[]): boolean {
  const parts = text.split(/[\n/]/).map((part) => part.replace(/\.slice$/, ''));
  return parts.some((part) => names.some((name) => part === name || part.endsWith(`-${name}`)));
}
