/** Every flag of the command line, once: how it is parsed, and what help and completion say of it. */

export interface FlagSpec {
  type: 'string' | 'boolean';
  short?: string;
  /** Stands for the value in the help. */
  value?: string;
  description: string;
}

export const FLAGS = {
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    description: 'the kubeconfig; default: $KUBECONFIG, then ~/.kube/config',
  },
  context: { type: 'string', value: 'NAME', description: 'the context in the kubeconfig' },
  namespace: { type: 'string', short: 'n', value: 'NAMESPACE', description: "the namespace; default: the context's" },
  'all-namespaces': { type: 'boolean', short: 'A', description: 'all namespaces' },
  output: { type: 'string', short: 'o', value: 'json|yaml|wide|name', description: 'another form of the output' },
  wait: { type: 'boolean', description: 'wait until it has come about' },
  timeout: { type: 'string', value: '60s', description: 'give up after this time' },
  ttl: { type: 'string', value: '15m', description: 'how long the token can be used' },
  uses: { type: 'string', value: 'COUNT', description: 'how many clusters the token admits; one by default' },
  revoke: { type: 'string', value: 'INVITATION', description: 'end this invitation' },
  'with-newcomers': { type: 'boolean', description: 'also those that came in by its word, and by theirs' },
  'dry-run': { type: 'boolean', description: 'say what would be done, and do nothing' },
  force: {
    type: 'boolean',
    description: 'also where something is lost: pods that nothing makes anew, members that are too old',
  },
  'keep-pods': { type: 'boolean', description: 'leave pods where they run; only new ones stay at home' },
  undo: { type: 'boolean', description: 'let pods go there again' },
  peer: { type: 'string', value: 'PEER', description: 'only what concerns this peer' },
  follow: { type: 'boolean', short: 'f', description: 'go on with what comes' },
  previous: { type: 'boolean', short: 'p', description: 'of the run before the last restart' },
  tail: { type: 'string', value: 'LINES', description: 'only the last lines' },
  port: { type: 'string', value: 'PORT', description: 'the port to listen on; default: one that is free' },
  file: { type: 'string', value: 'FILE', description: 'where to write to' },
  client: { type: 'boolean', description: 'only of this command' },
  verbose: { type: 'boolean', short: 'v', description: 'tell on standard error what is written to the API server' },
  help: { type: 'boolean', short: 'h', description: 'show how to use it' },
} as const satisfies Record<string, FlagSpec>;

export type FlagName = keyof typeof FLAGS;

/** Flags that every command takes. */
export const GLOBAL_FLAGS: readonly FlagName[] = ['kubeconfig', 'context', 'verbose', 'help'];

export type FlagValues = {
  [name in FlagName]?: (typeof FLAGS)[name]['type'] extends 'boolean' ? boolean : string;
};

/** `--tail LINES`, `-o, --output json|yaml|wide|name`. */
export function flagUsage(name: FlagName): string {
  const spec: FlagSpec = FLAGS[name];
  const long = `--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`;
  return spec.short === undefined ? long : `-${spec.short}, ${long}`;
}
