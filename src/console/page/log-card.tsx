import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { problemOf, textOf } from './live.ts';
import { Section } from './parts.tsx';

/** More lines than that nobody reads; the oldest go. */
const MAX_LINES = 3_000;

/** The log of a pod, which goes on as it is written. */
export function LogCard({
  namespace,
  pod,
  containers,
}: {
  namespace: string;
  pod: string;
  containers: readonly string[];
}) {
  const container = useSignal(containers.at(-1) ?? '');
  const previous = useSignal(false);
  const lines = useSignal<string[]>([]);
  const problem = useSignal<string | undefined>(undefined);
  const box = useRef<HTMLPreElement>(null);
  const [chosen, isPrevious] = [container.value, previous.value];
  useEffect(() => {
    const gone = new AbortController();
    lines.value = [];
    problem.value = undefined;
    const query = new URLSearchParams({ namespace, pod, container: chosen, previous: String(isPrevious) });
    const add = (text: string): void => {
      const [first = '', ...rest] = text.split('\n');
      const present = lines.value;
      lines.value = [...present.slice(0, -1), (present.at(-1) ?? '') + first, ...rest].slice(-MAX_LINES);
    };
    const follow = async (): Promise<void> => {
      const response = await fetch(`log?${query}`, { signal: gone.signal });
      if (!response.ok || response.body === null) throw new Error(await problemOf(response));
      for await (const text of textOf(response.body)) add(text);
    };
    follow().catch((error: Error) => {
      if (!gone.signal.aborted) problem.value = error.message;
    });
    return () => gone.abort();
  }, [namespace, pod, chosen, isPrevious]);
  const text = lines.value;
  useEffect(() => {
    const pre = box.current;
    // Whoever scrolled up reads there.
    if (pre !== null && pre.scrollHeight - pre.scrollTop - pre.clientHeight < 200) pre.scrollTop = pre.scrollHeight;
  }, [text]);
  return (
    <Section
      title="Log"
      id="log"
      aside={
        <div class="buttons">
          {containers.length > 1 && (
            <label>
              <span class="unseen">Container</span>
              <select value={chosen} onChange={(event) => (container.value = event.currentTarget.value)}>
                {containers.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
          )}
          <label class="check">
            <input
              type="checkbox"
              checked={isPrevious}
              onChange={(event) => (previous.value = event.currentTarget.checked)}
            />
            before the last restart
          </label>
        </div>
      }
    >
      {problem.value !== undefined && <p class="reason">{problem.value}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard */}
      <pre class="log" ref={box} tabIndex={0} role="log" aria-label={`Log of ${pod}`}>
        {text.length === 0 && problem.value === undefined ? 'Nothing was written yet.' : text.join('\n')}
      </pre>
    </Section>
  );
}
