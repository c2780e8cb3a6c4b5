import { signal } from '@preact/signals';
import { layOut, type MapLayout, type Place } from '../../core/console/map-layout.ts';
import type { MemberView } from '../../core/console/members-view.ts';
import { pathText, roundTrip, stateText, type Tone, toneOf } from './parts.tsx';
import { linkTo } from './route.ts';

const SELF_RADIUS = 40;

/** The member that the keyboard is at: the map is one stop of the Tab key, arrows go on from there. */
const focused = signal<string | undefined>(undefined);

/** Members around this one, with the links between them. */
export function MemberMap({
  self,
  members,
  selected,
}: {
  self: string;
  members: readonly MemberView[];
  selected: string | undefined;
}) {
  const layout = layOut(members.map(({ name }) => name));
  const { width, height } = layout;
  const current = members.some(({ name }) => name === focused.value) ? focused.value : (selected ?? members[0]?.name);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = members.findIndex(({ name }) => name === current);
    const next = members[(at + step + members.length) % members.length];
    if (next === undefined) return;
    focused.value = next.name;
    const map = event.currentTarget as SVGElement;
    map.querySelector<SVGElement>(`[data-at="${members.indexOf(next)}"]`)?.focus();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a picture has no fieldset
    <svg
      class={layout.dense ? 'map dense' : 'map'}
      viewBox={`0 0 ${width} ${height}`}
      role="group"
      aria-label={`Map: ${self} and ${members.length} other members; arrow keys go from one to the next`}
      onKeyDown={onKeyDown}
    >
      {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it takes the focus */}
      <g aria-hidden="true">
        {members.map((member) => (
          <Link key={member.id} member={member} layout={layout} isSelected={member.name === selected} />
        ))}
        <g class="self" transform={`translate(${layout.self.x} ${layout.self.y})`}>
          <circle r={SELF_RADIUS} />
          <text class="title" y="-1">
            {cut(self, 9)}
          </text>
          <text class="note" y="14">
            this member
          </text>
        </g>
      </g>
      {members.map((member, at) => (
        <Member
          key={member.id}
          member={member}
          at={at}
          layout={layout}
          isSelected={member.name === selected}
          isStop={member.name === current}
        />
      ))}
    </svg>
  );
}

function radiusOf({ dense }: MapLayout): number {
  return dense ? 13 : 26;
}

function Member({
  member,
  at,
  layout,
  isSelected,
  isStop,
}: {
  member: MemberView;
  at: number;
  layout: MapLayout;
  isSelected: boolean;
  isStop: boolean;
}) {
  const place = layout.places.get(member.name) ?? layout.self;
  const tone = toneOf(member);
  const radius = radiusOf(layout);
  const { podsOut, podsIn, name } = member;
  // A name stands on the side away from the link.
  const above = place.y < layout.self.y - 60;
  const note = member.state === 'Connected' ? `${podsOut} out · ${podsIn} in` : stateText(member);
  const words = [
    `${name} ${note}`,
    stateText(member),
    `round trip ${roundTrip(member.roundTripMs)}`,
    `path ${pathText(member)}`,
    `${podsOut} pods of this member there`,
    `${podsIn} pods of it here`,
  ].join(', ');
  return (
    <a
      href={linkTo('members', name)}
      aria-label={words}
      aria-current={isSelected ? 'true' : undefined}
      class={`member ${tone}${isSelected ? ' selected' : ''}`}
      style={{ transform: `translate(${place.x}px, ${place.y}px)` }}
      tabIndex={isStop ? 0 : -1}
      data-at={at}
      onFocus={() => {
        focused.value = name;
      }}
    >
      <circle class="hit" r={radius + 10} />
      <circle class="body" r={radius} />
      <Shape tone={tone} radius={radius} />
      <text class="title" y={above ? -radius - (layout.dense ? 6 : 26) : radius + (layout.dense ? 16 : 22)}>
        {cut(name, layout.dense ? 14 : 22)}
      </text>{' '}
      {!layout.dense && (
        <text class="note" y={above ? -radius - 9 : radius + 40}>
          {note}
        </text>
      )}
    </a>
  );
}

/** The state also by its shape, for those who do not tell colours apart. */
function Shape({ tone, radius }: { tone: Tone; radius: number }) {
  const size = radius * 0.42;
  switch (tone) {
    case 'good':
      return <path class="shape" d={`M${-size} 0 L${-size * 0.25} ${size * 0.75} L${size} ${-size * 0.7}`} />;
    case 'bad':
      return <path class="shape" d={`M${-size} ${-size} L${size} ${size} M${size} ${-size} L${-size} ${size}`} />;
    case 'warn':
      return <path class="shape" d={`M0 ${-size} L0 ${size * 0.3} M0 ${size} L0 ${size * 1.02}`} />;
    case 'idle':
      return <path class="shape" d={`M${-size} 0 L${size} 0`} />;
  }
}

function Link({ member, layout, isSelected }: { member: MemberView; layout: MapLayout; isSelected: boolean }) {
  const to = layout.places.get(member.name) ?? layout.self;
  const from = (member.via === undefined ? undefined : layout.places.get(member.via)) ?? layout.self;
  const fromSelf = from === layout.self;
  const [a, b] = [
    towards(from, to, fromSelf ? SELF_RADIUS + 6 : radiusOf(layout) + 4),
    towards(to, from, radiusOf(layout) + 4),
  ];
  const middle = { x: a.x + (b.x - a.x) * 0.52, y: a.y + (b.y - a.y) * 0.52 };
  const kind = member.state !== 'Connected' ? 'broken' : member.network === 'UDP' ? 'udp' : 'tls';
  return (
    <g class={`link ${kind}${isSelected ? ' selected' : ''}${fromSelf ? '' : ' relayed'}`}>
      <line x1={a.x} y1={a.y} x2={b.x} y2={b.y} />
      {!layout.dense && member.state === 'Connected' && (
        <g transform={`translate(${middle.x} ${middle.y})`}>
          <rect x="-46" y="-12" width="92" height="24" rx="12" />
          <text y="4.5">
            {member.network ?? '–'} {roundTrip(member.roundTripMs)}
          </text>
        </g>
      )}
    </g>
  );
}

/** A point on the way from one place to another. */
function towards(from: Place, to: Place, distance: number): Place {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return { x: from.x + ((to.x - from.x) / length) * distance, y: from.y + ((to.y - from.y) / length) * distance };
}

/** A name may have 253 characters; whole it stands in the table and for screen readers. */
function cut(name: string, most: number): string {
  return name.length > most ? `${name.slice(0, most - 1)}…` : name;
}
