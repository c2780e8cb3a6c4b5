import type { ComponentChildren } from 'preact';
import type { MemberView } from '../../core/console/members-view.ts';
import { readableQuantity } from '../../core/quantities/quantity.ts';
import { linkTo } from './route.ts';

/** How a state is told apart: by a word, a colour and a shape. */
export type Tone = 'good' | 'warn' | 'bad' | 'idle';

const SHAPES: Record<Tone, string> = {
  good: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z',
  warn: 'M8 1.5 15 14H1z',
  bad: 'M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z',
  idle: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8z',
};

export function toneOf({ state, virtualNode, drained }: MemberView): Tone {
  if (state === 'Unreachable' || state === 'Left') return 'bad';
  if (state !== 'Connected' || virtualNode?.ready !== true) return 'warn';
  return drained ? 'idle' : 'good';
}

export function Mark({ tone }: { tone: Tone }) {
  return (
    <svg class={`mark ${tone}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={SHAPES[tone]} fill-rule="evenodd" />
    </svg>
  );
}

export function State({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class="state">
      <Mark tone={tone} />
      {children}
    </span>
  );
}

export function stateText({ state, drained, virtualNode }: MemberView): string {
  if (state !== 'Connected') return state;
  if (virtualNode?.ready !== true) return 'Not ready';
  return drained ? 'Drained' : 'Connected';
}

export function MemberName({ name }: { name: string }) {
  return (
    <a class="name" href={linkTo('members', name)}>
      {name}
    </a>
  );
}

/** Used of offered, as a bar and in words. */
export function Meter({ member, resource, label }: { member: MemberView; resource: string; label: string }) {
  if (member.virtualNode === undefined) return <span class="quiet">no offer yet</span>;
  const [used, offered] = [member.uses[resource] ?? '0', member.offers[resource] ?? '0'];
  const share = Math.min(1, shareOf(used, offered));
  const words = `${readableQuantity(resource, used)} of ${readableQuantity(resource, offered)}`;
  return (
    <span class="meter">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="track" width="100" height="6" rx="3" />
        {share > 0 && <rect class="fill" width={Math.max(3, share * 100)} height="6" rx="3" />}
      </svg>
      <span class="figures">
        <span class="unseen">{label}: </span>
        {words}
      </span>
    </span>
  );
}

const UNITS: Record<string, number> = {
  m: 1e-3,
  k: 1e3,
  Ki: 1024,
  M: 1e6,
  Mi: 1024 ** 2,
  G: 1e9,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** About: for a bar. */
function shareOf(used: string, offered: string): number {
  const value = (text: string): number => {
    const [, digits = '0', unit = ''] = /^([\d.]+)(\w*)$/.exec(text) ?? [];
    return Number(digits) * (UNITS[unit] ?? 1);
  };
  const whole = value(offered);
  return whole === 0 ? (value(used) > 0 ? 1 : 0) : value(used) / whole;
}

export function Section({
  title,
  id,
  aside,
  children,
}: {
  title: string;
  id: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="card" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** Nothing to show, and what to do about it. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** `3 ms`, `0.6 ms`. */
export function roundTrip(ms: number | undefined): string {
  return ms === undefined ? '–' : `${ms >= 10 ? Math.round(ms) : ms} ms`;
}

/** UDP, TLS, and through whom. */
export function pathText({ network, via, state }: MemberView): string {
  if (state !== 'Connected') return '–';
  const path = network ?? 'no pod network';
  return via === undefined ? path : `${path} through ${via}`;
}
