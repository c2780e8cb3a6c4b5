import type { Clock } from '../../runtime/clock.ts';
import { LineRequests } from '../../runtime/line-requests.ts';
import { isNoHttp, LocalCaller } from '../../runtime/local-http.ts';
import { askBeside } from '../../wire/ask-beside.ts';
import { GUARD_CALLS } from '../../wire/beside.ts';
import { formatLeases, type KeptLeases, LINE_TAKEN } from './lease-memory.ts';

const WHO = 'the guard of fenced pods';
const UNAVAILABLE = `${WHO} (Deployment headcut-fence) does not answer`;

/** What stops fenced pods when the agent cannot. */
export interface PodGuard {
  /** Resolves when it knows what is to be stopped when. Throws Unavailable. */
  tell(leases: KeptLeases): Promise<void>;
}

/** Speaks HTTP (wire/beside), and in lines to a guard of a former version, which is there for a while in an upgrade. */
export function createPodGuard(path: string, clock: Clock): PodGuard {
  const options = { path, unavailable: UNAVAILABLE, clock };
  const { leases: call } = GUARD_CALLS;
  const caller = new LocalCaller(options);
  const lines = new LineRequests({ ...options, answerWithinMs: call.withinMs });
  let isFormer = false;
  const tellFormer = async (leases: KeptLeases): Promise<void> => {
    let answer: string;
    try {
      answer = await lines.ask(formatLeases(leases));
    } catch (error) {
      // The next one may be of this version.
      isFormer = false;
      throw error;
    }
    if (answer !== LINE_TAKEN) throw new Error(`${WHO} does not understand this agent: ${answer}`);
  };
  return {
    async tell(leases) {
      if (isFormer) {
        try {
          return await tellFormer(leases);
        } catch (error) {
          if (isFormer) throw error;
        }
      }
      try {
        const { askedAt, pods } = leases;
        await askBeside(caller, WHO, call, { body: { askedAt: Object.fromEntries(askedAt), pods: [...pods] } });
      } catch (error) {
        if (!isNoHttp(error)) throw error;
        isFormer = true;
        await tellFormer(leases);
      }
    },
  };
}
