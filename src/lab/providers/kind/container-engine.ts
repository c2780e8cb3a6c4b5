import { CodedError, messageOf } from '../../../core/coded-error.ts';
import type { CommandOptions, CommandResult } from '../../../runtime/command.ts';

/** Runs a command to its end, whatever its exit code; throws when it cannot be started. */
export type RunCommand = (argv: readonly string[], options?: CommandOptions) => Promise<CommandResult>;

/** The engines that kind works with, in the order in which it looks for them. Their command lines are alike as far as the lab uses them. */
export const ENGINES = ['docker', 'podman', 'nerdctl'] as const;

export interface KindPrograms {
  run: RunCommand;
  /** Name or path of kind. */
  kind: string;
  /** The engine that the user wants (KIND_EXPERIMENTAL_PROVIDER); undefined for the first that answers. */
  engine: string | undefined;
}

/** Where kind is to be had; for messages. */
const KIND_MODULE = 'sigs.k8s.io/kind@v0.33.0';

/** Throws when there is no kind on this machine. */
export async function requireKind({ run, kind }: KindPrograms): Promise<void> {
  const why = await failureOf(run, [kind, 'version']);
  if (why === undefined) return;
  throw new CodedError(
    'FailedPrecondition',
    `labs of kind need the program kind: install it (go install ${KIND_MODULE}) so that it is on the PATH, or give it as HEADCUT_KIND=/path/to/kind (${why})`,
  );
}

/** The engine that kind is to use; throws when none answers. */
export async function findEngine({ run, engine }: KindPrograms): Promise<string> {
  const answers: string[] = [];
  for (const candidate of engine === undefined ? ENGINES : [engine]) {
    const why = await failureOf(run, [candidate, 'info']);
    if (why === undefined) return candidate;
    answers.push(`${candidate}: ${why}`);
  }
  throw new CodedError(
    'FailedPrecondition',
    `labs of kind need a container engine, and none answers: install Docker, Podman or nerdctl, or start what is there; --provider k0s and --provider kubernetes need none (${answers.join('; ')})`,
  );
}

/** What a command says when it fails, in a line; undefined when it succeeds. */
async function failureOf(run: RunCommand, argv: readonly string[]): Promise<string | undefined> {
  try {
    const { exitCode, stderr } = await run(argv);
    if (exitCode === 0) return undefined;
    const [line] = stderr.trim().split('\n').slice(-1);
    return line || `exit code ${exitCode}`;
  } catch (error) {
    return messageOf(error).includes('ENOENT') ? 'not on the PATH' : messageOf(error);
  }
}
