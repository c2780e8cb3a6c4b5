import { messageOf } from '../core/coded-error.ts';
import type { EndpointReach } from '../core/diagnosis/diagnosis.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';

/** Connects to all endpoints of a member at once, and closes what was opened. A failure is an answer. */
export function tryEndpoints(
  { endpoints }: Pick<PeerRecord, 'endpoints'>,
  connect: (endpoint: string) => Promise<{ destroy(): unknown }>,
): Promise<EndpointReach[]> {
  return Promise.all(
    endpoints.map(async (endpoint): Promise<EndpointReach> => {
      try {
        (await connect(endpoint)).destroy();
        return { endpoint, ok: true };
      } catch (error) {
        return { endpoint, ok: false, problem: messageOf(error) };
      }
    }),
  );
}
