import type { KubeConnection } from '../kube/connection.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { AgentConfig } from './config.ts';

/** What an agent is made of that comes from outside. */
export interface AgentParts {
  config: AgentConfig;
  connection: KubeConnection;
  clock: Clock;
  logger: Logger;
  random(): number;
  /** The text of the agent's own /etc/resolv.conf: this cluster's DNS. */
  resolvConf: string;
}
