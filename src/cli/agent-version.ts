import type { KubeClient } from '../kube/client.ts';
import { agentPods } from '../ops/agent-logs.ts';

/** Nobody waits for a version. */
const WITHIN_MS = 3_000;

/** The tag of the image that the agent runs; undefined when there is no cluster to ask, or no agent in it. */
export async function agentVersion(connect: () => Promise<{ client: KubeClient }>): Promise<string | undefined> {
  try {
    const { client } = await connect();
    try {
      const [pod] = await agentPods(client, AbortSignal.timeout(WITHIN_MS));
      const image = pod?.spec.containers.find((one) => one.name === 'headcut')?.image;
      return image?.split('/').at(-1)?.split(':')[1];
    } finally {
      await client.close();
    }
  } catch {
    return undefined;
  }
}
