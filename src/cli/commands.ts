import type { Command } from './command.ts';
import { BAN_COMMANDS } from './commands/ban.ts';
import { CARE_COMMANDS } from './commands/care.ts';
import { CONSOLE_COMMAND } from './commands/console.ts';
import { EXPLAIN_COMMANDS } from './commands/explain.ts';
import { LOOK_COMMANDS } from './commands/look.ts';
import { MEMBERSHIP_COMMANDS } from './commands/membership.ts';
import { MOVE_COMMANDS } from './commands/move.ts';
import { REBALANCE_COMMAND } from './commands/rebalance.ts';
import { ROTATE_KEY_COMMAND } from './commands/rotate-key.ts';
import { SERVICES_COMMAND } from './commands/services.ts';
import { VOLUMES_COMMAND } from './commands/volumes.ts';

/** All commands that work on a cluster, in the order of the help. */
export const COMMAND_GROUPS: { title: string; commands: Command[] }[] = [
  { title: 'Look', commands: [...LOOK_COMMANDS, SERVICES_COMMAND, CONSOLE_COMMAND] },
  { title: 'Understand', commands: EXPLAIN_COMMANDS },
  { title: 'Members', commands: [...MEMBERSHIP_COMMANDS, ...BAN_COMMANDS, ROTATE_KEY_COMMAND] },
  { title: 'Move pods', commands: [...MOVE_COMMANDS, REBALANCE_COMMAND] },
  { title: 'Data', commands: [VOLUMES_COMMAND] },
  { title: 'When something is wrong', commands: CARE_COMMANDS },
];

export const COMMANDS: Command[] = COMMAND_GROUPS.flatMap(({ commands }) => commands);
