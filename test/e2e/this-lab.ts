import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LabContext } from '../../src/lab/lab-context.ts';
import { openLab } from '../../src/lab/open-lab.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { runCommand } from '../../src/runtime/command.ts';
import { labFolder, labName } from './reach-lab.ts';

/** The lab that is tested, for what its own library does to it. @param withinMs how long that may take */
export function thisLab(withinMs: number): LabContext {
  return openLab(labName(), {
    clock: systemClock,
    progress: { say: () => {}, elapsedMs: () => 0 },
    root: dirname(labFolder),
    toolsFolder: dirname(realpathSync(join(labFolder, 'bin', 'kubectl'))),
    // Nothing is started here but what the lab has a launcher for.
    k0sBinary: undefined,
    kind: { run: runCommand, kind: 'kind', engine: undefined },
    signal: AbortSignal.timeout(withinMs),
  });
}
