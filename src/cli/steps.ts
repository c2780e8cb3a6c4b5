import type { CommandContext } from './command.ts';
import { emit } from './output.ts';

/** A step of something that takes its time. */
export interface Step {
  type: string;
  /** `namespace/name` of the pod that it is about. */
  pod?: string;
}

/** Tells the steps as they happen, with the time since the start; as data they come at the end. */
export async function reportSteps<T extends Step>(
  context: CommandContext,
  steps: AsyncIterable<T>,
  describe: (step: T) => string,
): Promise<undefined> {
  const at = stopwatch(context);
  const asText = context.form === 'text' || context.form === 'wide';
  const done: T[] = [];
  for await (const step of steps) {
    done.push(step);
    if (asText) context.out(at(describe(step)));
  }
  if (asText) return;
  const names = (): string[] => done.flatMap(({ pod }) => (pod === undefined ? [] : [`pod/${pod.split('/')[1]}`]));
  await emit(context, { data: done, text: () => '', names });
}

/** Puts the time since now in front of a line: `[  1.3s] moving demo/web`. */
export function stopwatch({ clock }: Pick<CommandContext, 'clock'>): (line: string) => string {
  const start = clock.monotonic();
  return (line) => `[${((clock.monotonic() - start) / 1000).toFixed(1).padStart(5)}s] ${line}`;
}
