import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Verdict } from '../../ops/doctor/check.ts';
import type { CheckReport } from '../../ops/doctor/doctor.ts';
import { readLines } from './live.ts';
import { Empty, Mark, Section, type Tone } from './parts.tsx';
import { linkTo } from './route.ts';

const reports = signal<CheckReport[]>([]);
const state = signal<'running' | 'done' | { problem: string }>('done');
const TONES: Record<Verdict, Tone> = { ok: 'good', warning: 'warn', failed: 'bad', skipped: 'idle' };
const WORDS: Record<Verdict, string> = { ok: 'fine', warning: 'warning', failed: 'failed', skipped: 'not looked at' };

async function run(peer: string | undefined, signal: AbortSignal): Promise<void> {
  reports.value = [];
  state.value = 'running';
  try {
    const path = peer === undefined ? 'doctor' : `doctor?peer=${encodeURIComponent(peer)}`;
    for await (const line of readLines<CheckReport | { done: true }>(path, { signal }))
      if (!('done' in line)) reports.value = [...reports.value, line];
    state.value = 'done';
  } catch (error) {
    if (!signal.aborted) state.value = { problem: (error as Error).message };
  }
}

/** What headcut doctor finds, with what to do about it. */
export function CheckPage({ peer }: { peer: string | undefined }) {
  useEffect(() => {
    const gone = new AbortController();
    void run(peer, gone.signal);
    return () => gone.abort();
  }, [peer]);
  const isRunning = state.value === 'running';
  const again = (
    <div class="buttons">
      {peer !== undefined && (
        <a class="button" href={linkTo('check')}>
          Check everything
        </a>
      )}
      <button type="button" disabled={isRunning} onClick={() => void run(peer, new AbortController().signal)}>
        {isRunning ? 'Checking…' : 'Check again'}
      </button>
    </div>
  );
  return (
    <Section title={peer === undefined ? 'Checks' : `Checks of ${peer}`} id="checks" aside={again}>
      {typeof state.value === 'object' && <p class="reason">{state.value.problem}</p>}
      {reports.value.length === 0 && isRunning && <Empty>Looking at everything that has to work…</Empty>}
      <ol class="checks" aria-live="polite" aria-busy={isRunning}>
        {reports.value.map(({ id, title, verdict, findings }) => (
          <li key={id} class={verdict}>
            <h3>
              <Mark tone={TONES[verdict]} /> {title} <span class="quiet">{WORDS[verdict]}</span>
            </h3>
            <ul>
              {findings.map(({ message, fix, verdict: found }) => (
                <li key={message} class={found}>
                  {message}
                  {fix !== undefined && <p class="fix">{fix}</p>}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
    </Section>
  );
}
