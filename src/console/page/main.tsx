import { effect } from '@preact/signals';
import { render } from 'preact';
import './page.css';
import { ActionButton, ActionDialog } from './action-dialog.tsx';
import { CheckPage } from './check-page.tsx';
import { connected, federation, listen, now, version } from './live.ts';
import { MembersPage } from './members-page.tsx';
import { State } from './parts.tsx';
import { PodPage } from './pod-page.tsx';
import { linkTo, route } from './route.ts';
import { TimePage } from './time-page.tsx';
import { WorkloadsPage } from './workloads-page.tsx';

const TABS: [string, string][] = [
  ['', 'Members'],
  ['workloads', 'Workloads'],
  ['time', 'Time'],
  ['check', 'Check'],
];

const AT_TAB: Record<string, string> = { members: '', pods: 'workloads' };

function Page() {
  const [first = ''] = route.value;
  const at = AT_TAB[first] ?? first;
  const self = federation.value?.self;
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        To the content
      </button>
      <header class="top">
        <a class="brand" href={linkTo()} aria-label="headcut, all members">
          <img src="icon.svg" alt="" width="26" height="26" />
          <span>headcut</span>
        </a>
        <span class="who" title={self?.id}>
          {self?.name || 'this cluster'}
        </span>
        <nav aria-label="Pages">
          {TABS.map(([path, title]) => (
            <a key={path} href={path === '' ? linkTo() : linkTo(path)} aria-current={at === path ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <span class="live" role="status">
          {connected.value ? <State tone="good">Live</State> : <State tone="bad">The command has ended</State>}
        </span>
        <ActionButton action="invite" subject="" label="Invite" primary />
      </header>
      <main id="main" tabIndex={-1}>
        {first !== 'pods' && <h1 class="unseen">{TABS.find(([path]) => path === at)?.[1] ?? 'Members'}</h1>}
        <Body />
      </main>
      <footer class="quiet">
        headcut {version.value}
        {self?.podNetwork !== undefined && ` · pods of ${self.name} are ${self.podNetwork} to others`}
      </footer>
      <ActionDialog />
    </>
  );
}

function Body() {
  const [first = '', second, third] = route.value;
  switch (first) {
    case 'workloads':
      return <WorkloadsPage />;
    case 'pods':
      return <PodPage namespace={second ?? ''} name={third ?? ''} />;
    case 'time':
      return <TimePage />;
    case 'check':
      return <CheckPage peer={second} />;
    default:
      return <MembersPage selected={first === 'members' ? second : undefined} />;
  }
}

/** Past the top; the address has its own use of what stands behind `#`. */
function skip(): void {
  document.getElementById('main')?.focus();
}

effect(() => {
  const [first, namespace, name] = route.value;
  listen(first === 'pods' && namespace !== undefined && name !== undefined ? `${namespace}/${name}` : undefined);
});
effect(() => {
  const { members = [], self } = federation.value ?? {};
  const lost = members.filter(({ state }) => state !== 'Connected').length;
  document.title = `${lost > 0 ? `(${lost}) ` : ''}${self?.name ?? 'headcut'} – headcut`;
});
const tick = (): void => {
  if (!document.hidden) now.value = Date.now();
};
tick();
setInterval(tick, 1_000);
document.addEventListener('visibilitychange', tick);

const page = document.getElementById('page');
if (page !== null) render(<Page />, page);
