import { type Fault, parseFault } from '../../src/lab/faults/fault.ts';
import { endFault, startFault } from '../../src/lab/faults/run-fault.ts';
import { thisLab } from './this-lab.ts';

/** Long enough for the start of a cluster, which is how some faults end. */
const LONGEST_FAULT_MS = 10 * 60_000;

const lab = () => thisLab(LONGEST_FAULT_MS);

/** Makes a fault, in the words of `scripts/lab fault`; it is undone at the end of the block, or before that by `end`. */
export async function fault(words: string): Promise<{ end(): Promise<void> } & AsyncDisposable> {
  const oneWay = words.includes(' --one-way');
  const wanted: Fault = parseFault(words.replace(' --one-way', '').split(' '), oneWay);
  let lasts = true;
  const end = async (): Promise<void> => {
    if (!lasts) return;
    lasts = false;
    await endFault(lab(), wanted);
  };
  try {
    await startFault(lab(), wanted);
  } catch (error) {
    // A cluster that was half ended would be away for ever.
    await end();
    throw error;
  }
  return { end, [Symbol.asyncDispose]: end };
}
