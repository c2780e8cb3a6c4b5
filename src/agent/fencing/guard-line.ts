import type { Clock } from '../../runtime/clock.ts';
import { LineRequests, type LineServer, serveLineRequests } from '../../runtime/line-requests.ts';
import type { Logger } from '../../runtime/logger.ts';
import { formatLeases, type KeptLeases, parseLeases } from './lease-memory.ts';

/**
 * Between the agent and the guard of fenced pods, which is a pod of its own: a socket in a folder of the node. Who may connect there could
 * have any pod killed, so that it is for the agent's group alone.
 */
export const GUARD_SOCKET = 'fence.sock';
const FOR_GROUP = 0o660;

const ANSWER_WITHIN_MS = 2_000;
const TAKEN = 'taken';

/** What stops fenced pods when the agent cannot. */
export interface PodGuard {
  /** Resolves when it knows what is to be stopped when. Throws Unavailable. */
  tell(leases: KeptLeases): Promise<void>;
}

export function createPodGuard(path: string, clock: Clock): PodGuard {
  const unavailable = 'the guard of fenced pods (Deployment headcut-fence) does not answer';
  const requests = new LineRequests({ path, answerWithinMs: ANSWER_WITHIN_MS, unavailable, clock });
  return {
    async tell(leases) {
      const answer = await requests.ask(formatLeases(leases));
      if (answer !== TAKEN) throw new Error(`the guard of fenced pods does not understand this agent: ${answer}`);
    },
  };
}

/** The guard's end. @param take keeps what the agent told */
export function serveGuard(
  path: string,
  take: (leases: KeptLeases) => Promise<void>,
  logger: Logger,
): Promise<LineServer> {
  const answer = async (line: string): Promise<string> => {
    try {
      await take(parseLeases(line));
      return TAKEN;
    } catch (err) {
      logger.error({ err }, 'what the agent told was not taken');
      return 'not taken';
    }
  };
  return serveLineRequests(path, { answer, mode: FOR_GROUP, logger });
}
