import { signal } from '@preact/signals';
import type { MemberView } from '../../core/console/members-view.ts';
import { counted, duration } from '../../core/explain/age.ts';
import type { WhatIf } from '../../core/explain/what-if.ts';
import { ActionButton } from './action-dialog.tsx';
import { now, problemOf } from './live.ts';
import { Meter, pathText, roundTrip, State, stateText, toneOf } from './parts.tsx';
import { linkTo } from './route.ts';

/** What was asked last about the death of a member. */
const whatIf = signal<{ peer: string; answer?: WhatIf; problem?: string } | undefined>(undefined);

async function ask(peer: string): Promise<void> {
  const response = await fetch(`what-if?peer=${encodeURIComponent(peer)}`);
  whatIf.value = response.ok
    ? { peer, answer: (await response.json()) as WhatIf }
    : { peer, problem: await problemOf(response) };
}

/** All that is known of one member, and what can be done about it. */
export function MemberPanel({ member }: { member: MemberView }) {
  const { name, since, problem, lastSeen } = member;
  const ago = (time: string): string => duration(Math.max(0, now.value - Date.parse(time)));
  return (
    <aside class="card panel" aria-labelledby="member">
      <header>
        <h2 id="member">{name}</h2>
        <a class="close" href={linkTo()} aria-label={`Close ${name}`}>
          ✕
        </a>
      </header>
      <p class="lead">
        <State tone={toneOf(member)}>
          {stateText(member)}
          {since === undefined ? '' : ` for ${ago(since)}`}
        </State>
      </p>
      {problem !== undefined && <p class="reason">{problem}</p>}
      <div class="meters">
        <div>
          <span class="label">CPU, used of offered</span>
          <Meter member={member} resource="cpu" label="CPU" />
        </div>
        <div>
          <span class="label">Memory</span>
          <Meter member={member} resource="memory" label="Memory" />
        </div>
      </div>
      <Facts
        facts={[
          ['Round trip', roundTrip(member.roundTripMs)],
          ['Packets', pathText(member)],
          ['Our pods there', String(member.podsOut)],
          ['Their pods here', String(member.podsIn)],
          ['Last heard of', lastSeen === undefined ? undefined : `${ago(lastSeen)} ago`],
          ['May use here', member.mayUse],
          ['Came in by', member.broughtInBy],
          ['Node', member.virtualNode?.name],
          ['Endpoints', member.endpoints.join(', ')],
          ['Version', member.version],
          ['ID', member.id.slice(0, 12)],
        ]}
      />
      <div class="buttons">
        <button type="button" onClick={() => void ask(name)}>
          What if it dies?
        </button>
        <a class="button" href={linkTo('check', name)}>
          Check
        </a>
        {member.drained ? (
          <ActionButton action="undrain" subject={name} label="Let pods go there again" />
        ) : (
          <ActionButton action="drain" subject={name} label="Drain" />
        )}
        <ActionButton action="forget" subject={name} label="Forget" dangerous />
      </div>
      {whatIf.value?.peer === name && <WhatIfAnswer {...whatIf.value} />}
    </aside>
  );
}

export function Facts({ facts }: { facts: [string, string | undefined][] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function WhatIfAnswer({ peer, answer, problem }: { peer: string; answer?: WhatIf; problem?: string }) {
  if (answer === undefined) return <p class="reason">{problem}</p>;
  const { displaced, guests } = answer;
  const nowhere = displaced.filter(({ goesTo }) => goesTo === undefined).length;
  return (
    <section class="what-if" aria-live="polite" aria-labelledby="what-if">
      <h3 id="what-if">If {peer} died</h3>
      <p>
        {displaced.length === 0
          ? 'No pod of this cluster would be lost: none is there.'
          : `${counted(displaced.length, 'pod')} would be lost there; ${displaced.length - nowhere} would run elsewhere, ${nowhere} nowhere.`}
        {guests > 0 && ` ${counted(guests, 'pod')} of ${peer} here would go on.`}
      </p>
      {displaced.length > 0 && (
        <ul class="rows tight">
          {displaced.slice(0, 50).map((pod) => (
            <li key={`${pod.namespace}/${pod.name}`}>
              <a href={linkTo('pods', pod.namespace, pod.name)}>
                {pod.namespace}/{pod.name}
              </a>
              <span class={pod.goesTo === undefined ? 'bad-text' : 'quiet'} title={pod.why}>
                {pod.goesTo === undefined ? 'nowhere' : `to ${pod.goesTo}`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
