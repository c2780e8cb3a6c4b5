import { effect, signal } from '@preact/signals';
import qrcode from 'qrcode-generator';
import { type ActionName, NAMESPACE_ACTIONS } from '../../core/console/action-rights.ts';
import type { ActionStep } from '../actions.ts';
import { csrfToken, readLines, rights } from './live.ts';

interface Doing {
  action: ActionName;
  subject: string;
  title: string;
  phase: 'looking' | 'shown' | 'doing' | 'done';
  /** What would be done. */
  planned: string[];
  /** What is done. */
  lines: string[];
  problem?: string;
  ticket?: string;
  invitation?: Extract<ActionStep, { invitation: unknown }>['invitation'];
}

const doing = signal<Doing | undefined>(undefined);
let underWay = new AbortController();

const TITLES: Record<ActionName, (subject: string) => string> = {
  invite: () => 'Invite a cluster',
  approve: (subject) => `Approve ${subject.slice(0, 12)}`,
  offload: (subject) => `Offload namespace ${subject}`,
  unoffload: (subject) => `Bring namespace ${subject} home`,
  drain: (subject) => `Drain ${subject}`,
  undrain: (subject) => `Let pods go to ${subject} again`,
  rebalance: (subject) => `Rebalance namespace ${subject}`,
  forget: (subject) => `Forget ${subject}`,
};

const VERBS: Record<ActionName, string> = {
  invite: 'Make the token',
  approve: 'Approve',
  offload: 'Offload',
  unoffload: 'Bring home',
  drain: 'Drain',
  undrain: 'Let pods go there',
  rebalance: 'Rebalance',
  forget: 'Forget',
};

export function may(action: ActionName, subject: string): boolean {
  const { actions, namespaces } = rights.value;
  return NAMESPACE_ACTIONS.includes(action)
    ? (namespaces[subject]?.includes(action) ?? false)
    : actions.includes(action);
}

/** Opens the dialog of an action; not there for those who may not do it. */
export function ActionButton(props: {
  action: ActionName;
  subject: string;
  label: string;
  title?: string;
  dangerous?: boolean;
  primary?: boolean;
}) {
  const { action, subject, label, title = TITLES[action](subject), dangerous, primary } = props;
  if (!may(action, subject)) return null;
  const kind = dangerous === true ? 'dangerous' : primary === true ? 'primary' : undefined;
  return (
    <button type="button" class={kind} onClick={() => void look({ action, subject, title })}>
      {label}
    </button>
  );
}

type Line = ActionStep | { done: true; ticket?: string };

function post(body: object): AsyncGenerator<Line> {
  underWay = new AbortController();
  return readLines<Line>('do', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-headcut-csrf': csrfToken.value },
    body: JSON.stringify(body),
    signal: underWay.signal,
  });
}

/** First it is shown what would be done. */
async function look({ action, subject, title }: Pick<Doing, 'action' | 'subject' | 'title'>): Promise<void> {
  doing.value = { action, subject, title, phase: 'looking', planned: [], lines: [] };
  await follow({ action, subject, dryRun: true }, 'planned', 'shown');
}

async function carryOut(): Promise<void> {
  const present = doing.value;
  if (present?.phase !== 'shown') return;
  const { action, subject, ticket } = present;
  doing.value = { ...present, phase: 'doing' };
  await follow({ action, subject, dryRun: false, ticket }, 'lines', 'done');
}

async function follow(body: object, into: 'planned' | 'lines', then: Doing['phase']): Promise<void> {
  const change = (more: (present: Doing) => Partial<Doing>): void => {
    if (doing.value !== undefined) doing.value = { ...doing.value, ...more(doing.value) };
  };
  try {
    for await (const step of post(body)) {
      if ('line' in step) change((present) => ({ [into]: [...present[into], step.line] }));
      else if ('invitation' in step) change(() => ({ invitation: step.invitation }));
      else change(() => ({ phase: then, ...(step.ticket === undefined ? {} : { ticket: step.ticket }) }));
    }
  } catch (error) {
    if (!underWay.signal.aborted) change(() => ({ phase: 'done', problem: (error as Error).message }));
  }
}

function close(): void {
  underWay.abort();
  doing.value = undefined;
}

export function ActionDialog() {
  const present = doing.value;
  if (present === undefined) return null;
  const { action, title, phase, planned, lines, problem, invitation } = present;
  return (
    <dialog ref={openModal} aria-labelledby="doing" onClose={close}>
      <h2 id="doing">{title}</h2>
      <div aria-live="polite">
        {phase === 'looking' && <p class="quiet">Looking at what would be done…</p>}
        {planned.length > 0 && invitation === undefined && <Lines title="What would be done" lines={planned} />}
        {lines.length > 0 && <Lines title={phase === 'done' ? 'Done' : 'Under way'} lines={lines} />}
        {phase === 'doing' && lines.length === 0 && <p class="quiet">Under way…</p>}
        {invitation !== undefined && <Invitation {...invitation} />}
        {problem !== undefined && <p class="reason">{problem}</p>}
      </div>
      <div class="buttons end">
        <button type="button" onClick={close}>
          {phase === 'done' ? 'Close' : phase === 'doing' ? 'Stop' : 'Cancel'}
        </button>
        {(phase === 'looking' || phase === 'shown') && (
          <button
            type="button"
            class={action === 'forget' ? 'dangerous' : 'primary'}
            disabled={phase === 'looking'}
            onClick={() => void carryOut()}
          >
            {VERBS[action]}
          </button>
        )}
      </div>
    </dialog>
  );
}

/** The browser keeps the keyboard inside, and gives it back afterwards. */
function openModal(dialog: HTMLDialogElement | null): void {
  if (dialog !== null && !dialog.open) dialog.showModal();
}

function Lines({ title, lines }: { title: string; lines: readonly string[] }) {
  return (
    <>
      <h3>{title}</h3>
      <ul class="lines">
        {lines.map((line, at) => (
          <li key={at}>{line}</li>
        ))}
      </ul>
    </>
  );
}

function Invitation({ token, expiresAt }: { token: string; expiresAt: string }) {
  const until = new Date(expiresAt).toLocaleTimeString();
  return (
    <>
      <p>
        One cluster can join with this token until {until}. On that cluster: <code>headcut join TOKEN</code>
      </p>
      <QrCode text={token} />
      <textarea
        class="token"
        readOnly
        rows={4}
        aria-label="Token"
        value={token}
        onFocus={(event) => event.currentTarget.select()}
      />
      <button type="button" onClick={() => void navigator.clipboard.writeText(token)}>
        Copy the token
      </button>
    </>
  );
}

function QrCode({ text }: { text: string }) {
  const code = qrcode(0, 'L');
  code.addData(text);
  code.make();
  const size = code.getModuleCount();
  const dark = [...Array(size * size).keys()].filter((at) => code.isDark(Math.floor(at / size), at % size));
  const path = dark.map((at) => `M${at % size} ${Math.floor(at / size)}h1v1h-1z`).join('');
  return (
    <svg class="qr" viewBox={`-3 -3 ${size + 6} ${size + 6}`} role="img" aria-label="The token as a QR code">
      <rect x="-3" y="-3" width={size + 6} height={size + 6} fill="#fff" />
      <path d={path} fill="#000" shape-rendering="crispEdges" />
    </svg>
  );
}

// What was asked for by somebody who may no more is not left open.
effect(() => {
  const present = doing.value;
  if (present?.phase === 'shown' && !may(present.action, present.subject)) close();
});
