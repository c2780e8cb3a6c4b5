import { signal } from '@preact/signals';
import type { TimeEntry } from '../../core/console/time-view.ts';
import { now, rights, time } from './live.ts';
import { Empty, Mark, Section } from './parts.tsx';
import { linkTo } from './route.ts';

const hourOnly = signal(true);
const withEvents = signal(false);
const HOUR_MS = 3_600_000;

/** What happened, the newest first. */
export function TimePage() {
  const view = time.value;
  if (view === undefined) return <Empty>Looking…</Empty>;
  const entries = view.entries
    .filter(({ at }) => !hourOnly.value || now.value - Date.parse(at) <= HOUR_MS)
    .filter(({ kind, tone }) => withEvents.value || kind !== 'event' || tone === 'bad');
  return (
    <Section title="What happened" id="time" aside={<Choice />}>
      {!view.remembered && !rights.value.unseen.includes('history') && (
        <p class="quiet">
          The agent has nothing to tell yet; what stands here comes from Events, which are kept for an hour.
        </p>
      )}
      {rights.value.unseen.includes('history') && (
        <p class="quiet">
          Your user may not read what the agent remembers (ConfigMap headcut-history in headcut-system).
        </p>
      )}
      {entries.length === 0 ? (
        <Empty>{hourOnly.value ? 'Nothing in the last hour.' : 'Nothing yet.'}</Empty>
      ) : (
        <ol class="time">
          {entries.map((entry) => (
            <Entry key={`${entry.at} ${entry.kind} ${entry.text}`} entry={entry} />
          ))}
        </ol>
      )}
    </Section>
  );
}

function Choice() {
  const choose = (hour: boolean) => () => {
    hourOnly.value = hour;
  };
  return (
    <div class="buttons">
      <label class="check">
        <input
          type="checkbox"
          checked={withEvents.value}
          onChange={(event) => {
            withEvents.value = event.currentTarget.checked;
          }}
        />
        Events of pods too
      </label>
      <fieldset class="switch">
        <legend class="unseen">How far back</legend>
        <button type="button" aria-pressed={hourOnly.value} onClick={choose(true)}>
          Last hour
        </button>
        <button type="button" aria-pressed={!hourOnly.value} onClick={choose(false)}>
          All
        </button>
      </fieldset>
    </div>
  );
}

const TONES = { good: 'good', bad: 'bad', plain: 'idle' } as const;

function Entry({ entry }: { entry: TimeEntry }) {
  const { at, tone, text, peer, pod, count } = entry;
  const when = new Date(at);
  const isToday = when.toDateString() === new Date(now.value).toDateString();
  return (
    <li>
      <time dateTime={at} title={when.toLocaleString()}>
        {!isToday && <span>{when.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })}</span>}
        {when.toLocaleTimeString(undefined, { hour12: false })}
      </time>
      <Mark tone={TONES[tone]} />
      <span>
        {text}
        {count !== undefined && count > 1 && <span class="quiet"> ×{count}</span>}
        {peer !== undefined && (
          <a class="more" href={linkTo('members', peer)} aria-label={`Look at ${peer}`}>
            {peer}
          </a>
        )}
        {pod !== undefined && (
          <a class="more" href={linkTo('pods', pod.namespace, pod.name)}>
            look at it
          </a>
        )}
      </span>
    </li>
  );
}
