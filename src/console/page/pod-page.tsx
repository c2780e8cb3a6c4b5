import { duration } from '../../core/explain/age.ts';
import type { ConsideredMember, Explanation } from '../../core/explain/explain-pod.ts';
import { readableQuantity } from '../../core/quantities/quantity.ts';
import type { Sections } from '../live-sections.ts';
import { now, pod } from './live.ts';
import { LogCard } from './log-card.tsx';
import { Facts } from './member-panel.tsx';
import { Empty, Mark, Section, State } from './parts.tsx';
import { linkTo } from './route.ts';
import { toneOfPod } from './workloads-page.tsx';

/** One pod: why it is where it is, how it is, and what it says. */
export function PodPage({ namespace, name }: { namespace: string; name: string }) {
  const view = pod.value;
  if (view === undefined) return <Empty>Looking…</Empty>;
  if (view === null)
    return (
      <Empty>
        There is no pod {name} in namespace {namespace} any more. <a href={linkTo('workloads')}>All workloads</a>
      </Empty>
    );
  const { pod: found, events } = view;
  return (
    <>
      <p class="crumbs">
        <a href={linkTo('workloads')}>Workloads</a> / {namespace} / {found.maker.kind} {found.maker.name}
      </p>
      <div class="heading">
        <h1>{name}</h1>
        <State tone={toneOfPod(found)}>{found.ready ? 'Ready' : found.phase}</State>
      </div>
      <Why explanation={found.explanation} />
      <div class="columns">
        <Section title="Facts" id="facts">
          <Facts
            facts={[
              ['Runs on', found.member],
              ['Node', found.node],
              ['Address', found.address],
              ['Age', found.created === undefined ? undefined : ageOf(found.created)],
            ]}
          />
          <h3>Containers</h3>
          <ul class="rows tight">
            {found.containers.map(({ name: container, image, state, restarts, ready }) => (
              <li key={container}>
                <span>
                  <Mark tone={ready || state.startsWith('terminated: Completed') ? 'good' : 'warn'} />{' '}
                  <strong>{container}</strong> <span class="quiet">{image}</span>
                </span>
                <span>
                  {state}
                  {restarts > 0 && `, ${restarts} restarts`}
                </span>
              </li>
            ))}
          </ul>
        </Section>
        <Section title="Conditions" id="conditions">
          <ul class="rows tight">
            {found.conditions.map(({ type, status, reason, message }) => (
              <li key={type}>
                <State tone={status === 'True' ? 'good' : 'warn'}>{type}</State>
                <span class="quiet">{message ?? reason ?? (status === 'True' ? 'yes' : status)}</span>
              </li>
            ))}
          </ul>
        </Section>
      </div>
      <LogCard
        key={`${namespace}/${name}`}
        namespace={namespace}
        pod={name}
        containers={found.containers.map((one) => one.name)}
      />
      <Events events={events} />
    </>
  );
}

function ageOf(time: string): string {
  return duration(Math.max(0, now.value - Date.parse(time)));
}

function Why({ explanation }: { explanation: Explanation }) {
  const { summary, because, advice, candidates = [] } = explanation;
  return (
    <Section title="Why it is where it is" id="why">
      <p class="lead">{summary}</p>
      {because.length > 0 && (
        <ul class="lines">
          {because.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      )}
      {advice.length > 0 && (
        <>
          <h3>What to do</h3>
          <ul class="lines">
            {advice.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </>
      )}
      {candidates.length > 0 && (
        <details>
          <summary>How each member looks to it</summary>
          <Candidates candidates={candidates} />
        </details>
      )}
    </Section>
  );
}

function Candidates({ candidates }: { candidates: readonly ConsideredMember[] }) {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Member</th>
            <th scope="col" class="number">
              CPU free
            </th>
            <th scope="col" class="number">
              Memory free
            </th>
            <th scope="col">Verdict</th>
          </tr>
        </thead>
        <tbody>
          {candidates.map(({ member, node, free, obstacles, chosen }) => (
            <tr key={node}>
              <th scope="row">{member}</th>
              <td class="number">{free.cpu ?? '0'}</td>
              <td class="number">{readableQuantity('memory', free.memory ?? '0')}</td>
              <td>{obstacles.length > 0 ? obstacles.join('; ') : chosen ? 'it is here' : 'could take it'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Events({ events }: { events: NonNullable<Sections['pod']>['events'] }) {
  if (events.length === 0) return null;
  return (
    <Section title="Events" id="events">
      <ul class="rows tight">
        {events.map(({ at, reason, message, warning, count }) => (
          <li key={`${at} ${reason} ${message}`}>
            <span class="event">
              <Mark tone={warning ? 'bad' : 'idle'} />
              <span>
                <strong>{reason}</strong> {message}
                {count > 1 && <span class="quiet"> ×{count}</span>}
              </span>
            </span>
            <span class="quiet nowrap">{ageOf(at)} ago</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
