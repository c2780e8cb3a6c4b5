import { computed, signal } from '@preact/signals';
import type { SectionName, Sections } from '../live-sections.ts';

/** What the page knows, as the stream of its server tells it. */
export const federation = signal<Sections['federation'] | undefined>(undefined);
export const workloads = signal<Sections['workloads'] | undefined>(undefined);
export const time = signal<Sections['time'] | undefined>(undefined);
export const rights = signal<Sections['rights']>({ actions: [], namespaces: {}, unseen: [] });
export const pod = signal<Sections['pod'] | undefined>(undefined);
/** False while the command does not answer: what is shown is what was so last. */
export const connected = signal(true);
export const csrfToken = signal('');
export const version = signal('');
/** Milliseconds since 1970; moves on by itself, for ages. */
export const now = signal(0);

export const nameOfSelf = computed(() => federation.value?.self.name ?? '');

const TARGETS: { [Name in SectionName]: { value: Sections[Name] | undefined } } = {
  federation,
  workloads,
  time,
  rights: rights as { value: Sections['rights'] | undefined },
  pod,
};

let stream: EventSource | undefined;
let streamed: string | undefined;

/** Opens the stream; with a pod it tells of that one as well. The browser opens it again by itself. @param key `namespace/name` */
export function listen(key: string | undefined): void {
  if (stream !== undefined && streamed === key) return;
  stream?.close();
  streamed = key;
  pod.value = undefined;
  stream = new EventSource(key === undefined ? 'live' : `live?pod=${encodeURIComponent(key)}`);
  stream.addEventListener('open', () => {
    connected.value = true;
  });
  stream.addEventListener('error', () => {
    connected.value = false;
  });
  stream.addEventListener('hello', ({ data }) => {
    const hello = JSON.parse(data) as { csrfToken: string; version: string };
    csrfToken.value = hello.csrfToken;
    version.value = hello.version;
  });
  for (const name of Object.keys(TARGETS) as SectionName[])
    stream.addEventListener(name, ({ data }) => {
      TARGETS[name].value = JSON.parse(data);
    });
}

/** The lines of an answer that streams JSON. Throws what the server says in its last one. */
export async function* readLines<T>(path: string, init: RequestInit = {}): AsyncGenerator<T> {
  const response = await fetch(path, init);
  if (!response.ok || response.body === null) throw new Error(await problemOf(response));
  let rest = '';
  for await (const text of textOf(response.body)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { error } = JSON.parse(line) as { error?: { message: string } };
      if (error !== undefined) throw new Error(error.message);
      yield JSON.parse(line) as T;
    }
  }
}

/** The pieces of a body, as text. */
export async function* textOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield decoder.decode(value, { stream: true });
  }
}

/** What an answer that says no says, for people. */
export async function problemOf(response: Response): Promise<string> {
  const body = (await response.json().catch(() => ({}))) as { message?: string };
  return body.message ?? `the console answered ${response.status}`;
}
