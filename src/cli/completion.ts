import type { Node, Pod } from '../core/kube-objects.ts';
import type { KubeClient } from '../kube/client.ts';
import { NAMESPACES, PEERS, PODS } from '../kube/resources.ts';
import type { Command, Completed } from './command.ts';
import { FLAGS, type FlagName, type FlagSpec, GLOBAL_FLAGS } from './flags.ts';

/** The hidden command that the shells' scripts call with the words so far, the last one unfinished. */
export const COMPLETE_COMMAND = '__complete';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const SCRIPTS: Record<Shell, string> = {
  bash: `# bash completion for headcut; in ~/.bashrc: source <(headcut completion bash)
_headcut() {
  local IFS=$'\\n'
  COMPREPLY=($(headcut ${COMPLETE_COMMAND} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _headcut headcut`,
  zsh: `#compdef headcut
# zsh completion for headcut; in ~/.zshrc: source <(headcut completion zsh)
_headcut() {
  local -a found
  found=(\${(f)"$(headcut ${COMPLETE_COMMAND} -- "\${(@)words[2,$CURRENT]}" 2>/dev/null)"})
  compadd -a found
}
compdef _headcut headcut`,
  fish: `# fish completion for headcut; in ~/.config/fish/config.fish: headcut completion fish | source
function __headcut_complete
    set -l words (commandline -opc) (commandline -ct)
    headcut ${COMPLETE_COMMAND} -- $words[2..] 2>/dev/null
end
complete -c headcut -f -a '(__headcut_complete)'`,
};

/** The script for a shell; undefined for one that we do not know. */
export function completionScript(shell: string): string | undefined {
  return SHELLS.includes(shell as Shell) ? SCRIPTS[shell as Shell] : undefined;
}

/** Where words come from that only a cluster, or a kubeconfig, knows. */
export interface CompletionSources {
  /** Given the flags so far; throws when the cluster cannot be asked, and then there is nothing to complete. */
  connect(flags: { kubeconfig?: string; context?: string }): Promise<Pick<KubeClient, 'list' | 'close'>>;
  contexts(kubeconfig: string | undefined): Promise<string[]>;
}

/** What the last of `words` may become. */
export async function complete(
  words: readonly string[],
  commands: readonly Command[],
  sources: CompletionSources,
): Promise<string[]> {
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const found = await candidates(last, before, commands, sources).catch(() => []);
  return found.filter((one) => one.startsWith(last) && isWord(one)).sort();
}

/** What a shell takes for one word and nothing else: names come from other members too. */
function isWord(text: string): boolean {
  return text.length <= 253 && /^[\p{L}\p{N}_.:/@=+,%-]+$/u.test(text);
}

async function candidates(
  last: string,
  before: readonly string[],
  commands: readonly Command[],
  sources: CompletionSources,
): Promise<readonly string[]> {
  const { positionals, flags, pending } = parseWords(before);
  if (pending !== undefined) return valuesOf(pending, flags, sources);
  const [name, ...args] = positionals;
  const command = commands.find((one) => one.name === name);
  if (last.startsWith('-')) {
    const known: readonly FlagName[] = command === undefined ? GLOBAL_FLAGS : [...command.flags, ...GLOBAL_FLAGS];
    return known.map((flag) => `--${flag}`);
  }
  if (name === undefined)
    return [...commands.map((one) => one.name), 'lab', 'install', 'uninstall', 'version', 'completion', 'help'];
  if (name === 'completion') return SHELLS;
  if (name === 'help') return commands.map((one) => one.name);
  if (name === 'explain' && args.length === 1) return explained(args[0] ?? '', flags, sources);
  const completes = command?.args[args.length]?.completes;
  return completes === undefined ? [] : listed(completes, flags, sources);
}

type Flags = { kubeconfig?: string; context?: string; namespace?: string };

/** Splits the words so far; `pending` is a flag whose value is being typed. */
function parseWords(words: readonly string[]): { positionals: string[]; flags: Flags; pending: FlagName | undefined } {
  const positionals: string[] = [];
  const flags: Record<string, string> = {};
  let pending: FlagName | undefined;
  for (const word of words) {
    if (pending !== undefined) {
      flags[pending] = word;
      pending = undefined;
    } else if (!word.startsWith('-')) positionals.push(word);
    else {
      const [name = '', value] = word.replace(/^--?/, '').split('=', 2);
      const found = (Object.entries(FLAGS) as [FlagName, FlagSpec][]).find(
        ([long, spec]) => long === name || spec.short === name,
      );
      if (found === undefined || found[1].type === 'boolean') continue;
      if (value === undefined) pending = found[0];
      else flags[found[0]] = value;
    }
  }
  return { positionals, flags, pending };
}

async function valuesOf(flag: FlagName, flags: Flags, sources: CompletionSources): Promise<readonly string[]> {
  switch (flag) {
    case 'context':
      return sources.contexts(flags.kubeconfig);
    case 'namespace':
      return listed('namespaces', flags, sources);
    case 'peer':
      return listed('peers', flags, sources);
    case 'output':
      return ['json', 'yaml', 'wide', 'name'];
    default:
      return [];
  }
}

function explained(kind: string, flags: Flags, sources: CompletionSources): Promise<readonly string[]> {
  if (kind === 'peer') return listed('peers', flags, sources);
  return listed(kind === 'namespace' ? 'namespaces' : 'pods', flags, sources);
}

async function listed(what: Completed, flags: Flags, sources: CompletionSources): Promise<readonly string[]> {
  if (typeof what !== 'string') return what;
  const client = await sources.connect(flags);
  try {
    const { namespace } = flags;
    const { items } = await {
      peers: () => client.list(PEERS),
      namespaces: () => client.list<Node>(NAMESPACES),
      pods: () => client.list<Pod>(PODS, namespace === undefined ? {} : { namespace }),
    }[what]();
    return items.map((item) => item.metadata.name);
  } finally {
    await client.close();
  }
}
