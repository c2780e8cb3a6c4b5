import { signal } from '@preact/signals';
import type { MemberView } from '../../core/console/members-view.ts';
import { counted, duration } from '../../core/explain/age.ts';
import type { Problem } from '../../core/explain/overview.ts';
import { ActionButton } from './action-dialog.tsx';
import { federation, now, rights, workloads } from './live.ts';
import { MemberMap } from './map.tsx';
import { MemberPanel } from './member-panel.tsx';
import { Empty, MemberName, Meter, pathText, roundTrip, Section, State, stateText, toneOf } from './parts.tsx';
import { linkTo } from './route.ts';

const asTable = signal(false);
/** The map is to be seen as well. */
const SHOWN_PROBLEMS = 3;

/** What is wrong, then who is there. @param selected the member whose facts are shown beside the map */
export function MembersPage({ selected }: { selected: string | undefined }) {
  const view = federation.value;
  if (view === undefined) return <Empty>Looking…</Empty>;
  const member = view.members.find(({ name }) => name === selected);
  return (
    <>
      <Troubles problems={view.problems} />
      <Pending />
      <Figures />
      <div class={member === undefined ? 'stage' : 'stage with-panel'}>
        <Section title="Members" id="members" aside={<MapOrTable />}>
          {view.members.length === 0 ? (
            <NoMembers />
          ) : asTable.value ? (
            <MemberTable members={view.members} selected={selected} />
          ) : (
            <>
              <MemberMap self={view.self.name} members={view.members} selected={selected} />
              <Legend />
            </>
          )}
        </Section>
        {member !== undefined && <MemberPanel member={member} />}
      </div>
    </>
  );
}

function NoMembers() {
  return rights.value.unseen.includes('members') ? (
    <Empty>Your user may not see the members of the federation. What you may see is under Workloads.</Empty>
  ) : (
    <Empty>No other members yet. Invite one: run headcut join with the token against another cluster.</Empty>
  );
}

/** Each problem with its next step. */
function Troubles({ problems }: { problems: readonly Problem[] }) {
  if (problems.length === 0)
    return rights.value.unseen.includes('members') ? null : (
      <p class="all-well">
        <State tone="good">All is well</State>
      </p>
    );
  return (
    <section class="card trouble" aria-labelledby="trouble">
      <header>
        <h2 id="trouble">{counted(problems.length, 'problem')}</h2>
      </header>
      <ProblemList problems={problems.slice(0, SHOWN_PROBLEMS)} />
      {problems.length > SHOWN_PROBLEMS && (
        <details>
          <summary>{problems.length - SHOWN_PROBLEMS} more</summary>
          <ProblemList problems={problems.slice(SHOWN_PROBLEMS)} />
        </details>
      )}
    </section>
  );
}

function ProblemList({ problems }: { problems: readonly Problem[] }) {
  return (
    <ul>
      {problems.map((problem) => (
        <li key={problem.text}>
          <State tone="bad">
            <span>{problem.text}</span>
          </State>
          <span class="next">
            {problem.peer !== undefined && <a href={linkTo('members', problem.peer)}>Look at {problem.peer}</a>}
            {problem.peer !== undefined && <a href={linkTo('check', problem.peer)}>Find the cause</a>}
            {problem.pod !== undefined && (
              <a href={linkTo('pods', problem.pod.namespace, problem.pod.name)}>Why does it wait?</a>
            )}
            {problem.peer === undefined && problem.pod === undefined && problem.next !== undefined && (
              <span class="quiet">{problem.next}</span>
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Pending() {
  const pending = federation.value?.pending ?? [];
  if (pending.length === 0) return null;
  return (
    <Section title="Waiting for approval" id="pending">
      <ul class="rows">
        {pending.map(({ id, name, vouchedBy }) => (
          <li key={id}>
            <span>
              <strong>{name}</strong>{' '}
              <span class="quiet">
                {id.slice(0, 12)}, vouched for by {vouchedBy.slice(0, 12)}
              </span>
            </span>
            <ActionButton action="approve" subject={id} label="Approve" title={`Approve ${name}`} />
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Figures() {
  const members = federation.value?.members ?? [];
  const connected = members.filter(({ state }) => state === 'Connected').length;
  const sum = (of: (member: MemberView) => number): number => members.reduce((total, one) => total + of(one), 0);
  const offloaded = workloads.value?.namespaces.filter((one) => one.offloaded).length ?? 0;
  const figures = [
    [`${connected}/${members.length}`, 'members connected'],
    [String(sum(({ podsOut }) => podsOut)), 'pods on others'],
    [String(sum(({ podsIn }) => podsIn)), 'pods of others here'],
    [String(offloaded), offloaded === 1 ? 'namespace offloaded' : 'namespaces offloaded'],
  ];
  return (
    <dl class="figures-row">
      {figures.map(([figure, what]) => (
        <div key={what}>
          <dd>{figure}</dd>
          <dt>{what}</dt>
        </div>
      ))}
    </dl>
  );
}

function MapOrTable() {
  const choose = (table: boolean) => () => {
    asTable.value = table;
  };
  return (
    <fieldset class="switch">
      <legend class="unseen">Shown as</legend>
      <button type="button" aria-pressed={!asTable.value} onClick={choose(false)}>
        Map
      </button>
      <button type="button" aria-pressed={asTable.value} onClick={choose(true)}>
        Table
      </button>
    </fieldset>
  );
}

function Legend() {
  return (
    <ul class="legend" aria-hidden="true">
      <li>
        <i class="line udp" />
        UDP
      </li>
      <li>
        <i class="line tls" />
        TLS, slower
      </li>
      <li>
        <i class="line broken" />
        no contact
      </li>
      <li class="quiet">out: our pods there · in: their pods here</li>
    </ul>
  );
}

function MemberTable({ members, selected }: { members: readonly MemberView[]; selected: string | undefined }) {
  return (
    <div class="scroll">
      <table>
        <caption class="unseen">Members of the federation, as this one sees them</caption>
        <thead>
          <tr>
            {['Member', 'State', 'Since', 'Round trip', 'Path', 'CPU', 'Memory', 'Out', 'In', 'Version'].map(
              (title) => (
                <th key={title} scope="col" class={['Round trip', 'Out', 'In'].includes(title) ? 'number' : undefined}>
                  {title}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {members.map((member) => (
            <tr key={member.id} class={member.name === selected ? 'selected' : undefined}>
              <th scope="row">
                <MemberName name={member.name} />
              </th>
              <td>
                <State tone={toneOf(member)}>{stateText(member)}</State>
              </td>
              <td>{member.since === undefined ? '–' : duration(Math.max(0, now.value - Date.parse(member.since)))}</td>
              <td class="number">{roundTrip(member.roundTripMs)}</td>
              <td>{pathText(member)}</td>
              <td>
                <Meter member={member} resource="cpu" label="CPU" />
              </td>
              <td>
                <Meter member={member} resource="memory" label="Memory" />
              </td>
              <td class="number">{member.podsOut}</td>
              <td class="number">{member.podsIn}</td>
              <td class="quiet">{member.version ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
