import type { NamespaceView, ReplicaView, WorkloadView } from '../../core/console/workloads-view.ts';
import { counted } from '../../core/explain/age.ts';
import { ActionButton } from './action-dialog.tsx';
import { nameOfSelf, rights, workloads } from './live.ts';
import { Empty, Section, State, type Tone } from './parts.tsx';
import { linkTo } from './route.ts';

/** What is offloaded, and where each replica runs. */
export function WorkloadsPage() {
  const view = workloads.value;
  if (view === undefined) return <Empty>Looking…</Empty>;
  const shown = view.namespaces.filter(({ offloaded, away }) => offloaded || away > 0);
  const others = view.namespaces.filter((one) => !shown.includes(one));
  return (
    <>
      {shown.length === 0 && (
        <Section title="Offloaded namespaces" id="offloaded">
          <Empty>None. Offload one below, and its new pods may run on other members.</Empty>
        </Section>
      )}
      {shown.map((one) => (
        <Namespace key={one.name} namespace={one} />
      ))}
      {others.length > 0 && <AtHome namespaces={others} />}
      {view.guests.length > 0 && <Guests />}
      {view.omitted > 0 && <p class="quiet">{counted(view.omitted, 'pod')} more are not listed.</p>}
    </>
  );
}

function Namespace({ namespace }: { namespace: NamespaceView }) {
  const { name, offloaded, how, pods, away, workloads: list } = namespace;
  const id = `ns-${name}`;
  return (
    <section class="card" aria-labelledby={id}>
      <header>
        <div>
          <h2 id={id}>{name}</h2>
          <p class="quiet">
            {offloaded ? `Offloaded ${how}` : 'Not offloaded any more'} · {counted(pods, 'pod')}, {away} on other
            members
          </p>
        </div>
        <div class="buttons">
          {offloaded && <ActionButton action="rebalance" subject={name} label="Rebalance" />}
          {offloaded || away > 0 ? (
            <ActionButton action="unoffload" subject={name} label="Bring home" />
          ) : (
            <ActionButton action="offload" subject={name} label="Offload" />
          )}
        </div>
      </header>
      {list.length === 0 && <Empty>It has no pods.</Empty>}
      {list.map((workload) => (
        <Workload key={`${workload.kind}/${workload.name}`} namespace={name} workload={workload} />
      ))}
    </section>
  );
}

function Workload({ namespace, workload }: { namespace: string; workload: WorkloadView }) {
  const { kind, name, ready, wanted, replicas } = workload;
  const id = `${namespace}-${kind}-${name}`;
  const tone: Tone = ready >= wanted ? 'good' : ready === 0 ? 'bad' : 'warn';
  return (
    <details class="workload" open={replicas.length <= 12}>
      <summary>
        <span class="kind">{kind}</span>
        <strong id={id}>{name}</strong>
        <State tone={tone}>
          {ready} of {wanted} ready
        </State>
        <Spread replicas={replicas} />
      </summary>
      {replicas.length > 0 && (
        <div class="scroll">
          <table class="replicas" aria-labelledby={id}>
            <thead>
              <tr>
                <th scope="col">Pod</th>
                <th scope="col">Runs on</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Restarts
                </th>
                <th scope="col">Why</th>
              </tr>
            </thead>
            <tbody>
              {replicas.map((replica) => (
                <Replica key={replica.name} namespace={namespace} replica={replica} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

/** How many on which member, the most first. */
function Spread({ replicas }: { replicas: readonly ReplicaView[] }) {
  const counts = Map.groupBy(replicas, ({ member }) => member ?? '');
  const groups = [...counts].sort(([a, x], [b, y]) => y.length - x.length || a.localeCompare(b));
  return (
    <span class="spread">
      {groups.slice(0, 6).map(([member, pods]) => (
        <span
          key={member}
          class={member === '' ? 'place nowhere' : member === nameOfSelf.value ? 'place home' : 'place'}
        >
          {member === '' ? 'nowhere yet' : member} <b>{pods.length}</b>
        </span>
      ))}
      {groups.length > 6 && <span class="place">+{groups.length - 6}</span>}
    </span>
  );
}

export function toneOfPod({ ready, phase }: { ready: boolean; phase: string }): Tone {
  if (ready) return 'good';
  if (phase === 'Succeeded' || phase === 'Terminating') return 'idle';
  return phase === 'Pending' || phase === 'ContainerCreating' || phase === 'Running' ? 'warn' : 'bad';
}

function Replica({ namespace, replica }: { namespace: string; replica: ReplicaView }) {
  const { name, member, home, phase, ready, restarts, why } = replica;
  return (
    <tr>
      <th scope="row">
        <a href={linkTo('pods', namespace, name)}>{name}</a>
      </th>
      <td>
        {member === undefined ? (
          <span class="quiet">nowhere yet</span>
        ) : home ? (
          <span>{member}</span>
        ) : (
          <a href={linkTo('members', member)}>{member}</a>
        )}
      </td>
      <td>
        <State tone={toneOfPod(replica)}>{ready ? 'Ready' : phase}</State>
      </td>
      <td class="number">{restarts}</td>
      <td class="why">{why}</td>
    </tr>
  );
}

function AtHome({ namespaces }: { namespaces: readonly NamespaceView[] }) {
  return (
    <Section title="At home" id="at-home">
      <ul class="rows">
        {namespaces.map(({ name, pods }) => (
          <li key={name}>
            <span>
              <strong>{name}</strong> <span class="quiet">{counted(pods, 'pod')}</span>
            </span>
            <ActionButton action="offload" subject={name} label="Offload" title={`Offload namespace ${name}`} />
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Guests() {
  const guests = workloads.value?.guests ?? [];
  const mayLook = !rights.value.unseen.includes('pods of other namespaces');
  return (
    <Section title="Pods of others here" id="guests">
      <div class="scroll">
        <table aria-labelledby="guests">
          <thead>
            <tr>
              <th scope="col">Pod</th>
              <th scope="col">Of</th>
              <th scope="col">Namespace there</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {guests.map((guest) => (
              <tr key={`${guest.namespace}/${guest.name}`}>
                <th scope="row">
                  {mayLook ? <a href={linkTo('pods', guest.namespace, guest.name)}>{guest.name}</a> : guest.name}
                </th>
                <td>
                  <a href={linkTo('members', guest.peer)}>{guest.peer}</a>
                </td>
                <td>{guest.originNamespace}</td>
                <td>
                  <State tone={toneOfPod(guest)}>{guest.ready ? 'Ready' : guest.phase}</State>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}
