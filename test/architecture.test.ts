import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '');
const sources = tracked
  .filter((file) => /^src\/.*\.ts$/.test(file))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

/** Which rooms of src may import which others (src/README.md). */
const MAY_IMPORT: Record<string, string[]> = {
  core: [],
  // Only for the error class, which is the same everywhere.
  runtime: ['core'],
  wire: ['core', 'runtime'],
  kube: ['core', 'runtime'],
  peering: ['core', 'wire', 'runtime'],
  agent: ['core', 'wire', 'runtime', 'kube', 'peering'],
  ops: ['core', 'wire', 'kube', 'runtime'],
  console: ['ops', 'core', 'kube', 'runtime'],
  cli: ['ops', 'core', 'kube', 'runtime'],
  lab: ['ops', 'kube', 'runtime', 'core'],
  bin: ['agent', 'cli', 'console', 'lab', 'ops', 'core', 'wire', 'kube', 'runtime'],
};

const roomOf = (path: string): string => path.split('/')[1] ?? '';

function importsOf({ path, text }: { path: string; text: string }): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    normalize(join(dirname(path), match[1] ?? '')),
  );
}

/** What lies on a way from itself to itself: strongly connected parts of more than one (Tarjan). */
function cyclesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): number => {
    order.set(node, order.size);
    let low = order.get(node) ?? 0;
    path.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (path.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    lowest.set(node, low);
    if (low === order.get(node)) {
      const part = path.splice(path.indexOf(node));
      if (part.length > 1) found.push(part.sort());
    }
    return low;
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return found;
}

/** The classes of a formatted file, with the names of what can be called from outside. */
function classesIn(text: string): { name: string; methods: string[] }[] {
  return [...text.matchAll(/^(?:export )?(?:abstract )?class (\w+)[\s\S]*?^}/gm)].map(([body, name = '']) => {
    const heads = body.matchAll(
      /^ {2}(?:(?:static|async|override|abstract|get|set) )*\*?(\w+)(?:<.*?>)?(?:\(| = (?:async )?(?:<.*?>)?\(.*=>)/gm,
    );
    const methods = new Set([...heads].map(([, method = '']) => method));
    methods.delete('constructor');
    return { name, methods: [...methods] };
  });
}

const DIALLING = [
  'src/agent/compose.ts → src/peering/dialing.ts',
  'src/agent/compose.ts → src/peering/peer-connection.ts',
  'src/agent/joining/join-requests.ts → src/peering/dial-peer.ts',
  'src/agent/joining/join-requests.ts → src/peering/join-client.ts',
];

describe('the architecture', () => {
  test('has sources to look at', () => {
    expect(sources.length).toBeGreaterThan(100);
  });

  test('lets rooms import only what stands in the table', () => {
    const wrong = sources.flatMap((source) =>
      importsOf(source)
        .filter((target) => target.startsWith('src/') && roomOf(target) !== roomOf(source.path))
        .filter((target) => !MAY_IMPORT[roomOf(source.path)]?.includes(roomOf(target)))
        .map((target) => `${source.path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('keeps the features of the agent apart: they meet in ports.ts and compose.ts', () => {
    const feature = (path: string): string | undefined => /^src\/agent\/([^/]+)\//.exec(path)?.[1];
    const wrong = sources.flatMap((source) => {
      const own = feature(source.path);
      if (own === undefined) return [];
      return importsOf(source)
        .filter(
          (target) => target.startsWith('src/agent/') && feature(target) !== own && target !== 'src/agent/ports.ts',
        )
        .map((target) => `${source.path} → ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test('lets nothing but peering open sockets to members', () => {
    // By TLS and HTTP/2 alone; the rest speak to API servers, kubelets, pods, nameservers, or processes beside them.
    const opens = /from 'node:(tls|http2)'/;
    const imports = (text: string): string[] =>
      text.split('\n').filter((line) => /^(import (?!type)|\} from)/.test(line) && opens.test(line));
    const wrong = sources.filter(({ path, text }) => !path.startsWith('src/peering/') && imports(text).length > 0);
    expect(wrong.map(({ path }) => path)).toEqual([]);
    const dials = /peering\/(dial-|dialing|join-client|peer-connection|peer-client|peer-acceptor)/;
    const dialling = sources
      .filter(({ path }) => !path.startsWith('src/peering/'))
      .flatMap((source) =>
        importsOf(source)
          .filter((target) => dials.test(target))
          .map((target) => `${source.path} → ${target}`),
      );
    // What is given to peering, the identity, and a newcomer's one call.
    expect(dialling.sort()).toEqual(DIALLING);
  });

  test('has no import cycles, of types neither', () => {
    const graph = new Map(sources.map((source) => [source.path, importsOf(source)]));
    expect(cyclesIn(graph)).toEqual([]);
  });

  test('has no cycles of what lies in one folder: folders as wholes, and files each for itself', () => {
    const found: string[][] = [];
    const graphs = new Map<string, Map<string, string[]>>();
    for (const source of sources)
      for (const target of importsOf(source)) {
        const [from, to] = [source.path.split('/'), target.split('/')];
        const depth = from.findIndex((part, at) => part !== to[at]);
        if (depth < 0) continue;
        // Files of the folder itself compose its parts, or are what all of these are made of; one that is both is a knot.
        const graph = graphs.get(from.slice(0, depth).join('/')) ?? new Map<string, string[]>();
        graphs.set(from.slice(0, depth).join('/'), graph);
        const [a = '', b = ''] = [from[depth], to[depth]];
        graph.set(a, [...(graph.get(a) ?? []), b]);
      }
    for (const [parent, graph] of graphs) found.push(...cyclesIn(graph).map((cycle) => [parent, ...cycle]));
    expect(found).toEqual([]);
  });

  test.each([
    ['Date.now(', /\bDate\.now\(/],
    ['timers', /\b(setTimeout|setInterval)\(/],
    ['Math.random', /\bMath\.random\b/],
    ['child processes', /node:child_process/],
    ['the environment', /\bprocess\.env\b/],
  ])('takes time, chance, commands and environment as parameters: %s', (_name, pattern) => {
    const allowed = /^src\/(runtime|bin)\//;
    // The default of a parameter, so that callers need not name it.
    const isDefault = (text: string): boolean => /random\s*(\?\?|:)\s*Math\.random/.test(text);
    const wrong = sources
      .filter(({ path }) => !allowed.test(path))
      .filter(({ text }) =>
        text.split('\n').some((line) => pattern.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line) && !isDefault(line)),
      )
      .map(({ path }) => path);
    expect(wrong.filter((path) => path !== 'src/kube/reflector.ts')).toEqual([]);
  });

  test('has no file of more than 400 lines', () => {
    expect(sources.filter(({ text }) => text.split('\n').length > 401).map(({ path }) => path)).toEqual([]);
  });

  test('keeps membership small: who is a member, by whose word, since when', () => {
    const lines = sources
      .filter(({ path }) => path.startsWith('src/agent/membership/'))
      .map(({ text }) => text.split('\n').length - 1);
    expect(lines.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(1_000);
  });

  test('has no class with more than 15 public methods and accessors, but for those that make clusters for labs', () => {
    const large = sources
      .filter(({ path }) => !path.startsWith('src/lab/'))
      .flatMap(({ path, text }) => classesIn(text).map(({ name, methods }) => `${path} ${name} ${methods.length}`));
    expect(large.length).toBeGreaterThan(100);
    expect(large.filter((one) => Number(one.split(' ').at(-1)) > 15)).toEqual([]);
  });

  test('names files after what they hold', () => {
    expect(sources.filter(({ path }) => /\/(utils?|helpers?|common|manager|types)\.ts$/.test(path))).toEqual([]);
    expect(sources.filter(({ path }) => /[A-Z_]/.test(path.split('/').at(-1) ?? '')).map(({ path }) => path)).toEqual(
      [],
    );
  });

  test('says at each exported class what it is for', () => {
    const bare = sources.filter(({ text }) =>
      /(^|\n)(?!\s*\*\/)[^\n]*\n+export class /.test(text.replace(/\*\/\nexport class /g, '')),
    );
    expect(bare.map(({ path }) => path)).toEqual([]);
  });
});
