import { openLab } from '../../src/lab/open-lab.ts';
import { createProgress } from '../../src/lab/progress.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { runCommand } from '../../src/runtime/command.ts';
import { labName } from '../../test/e2e/reach-lab.ts';

/** Loads image archives into all clusters of the lab that HEADCUT_LAB names. @param root of the project @param tools the folder of compiled tools */
export async function loadImages(
  archives: readonly string[],
  { root, tools }: { root: string; tools: string },
): Promise<void> {
  const lab = openLab(labName(), {
    clock: systemClock,
    progress: createProgress(systemClock, (line) => process.stderr.write(line)),
    root,
    toolsFolder: tools,
    k0sBinary: process.env.HEADCUT_K0S || undefined,
    kind: { run: runCommand, kind: 'kind', engine: undefined },
    signal: new AbortController().signal,
  });
  for (const cluster of lab.topology.clusters)
    for (const archive of archives) await lab.provider.loadImage(cluster, archive);
}
