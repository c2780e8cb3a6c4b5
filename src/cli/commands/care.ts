import { CodedError } from '../../core/coded-error.ts';
import { openAgentLog } from '../../ops/agent-logs.ts';
import type { Verdict } from '../../ops/doctor/check.ts';
import { type CheckReport, diagnose } from '../../ops/doctor/doctor.ts';
import { collectSupport, packBundle } from '../../ops/support-bundle.ts';
import { EXIT } from '../cli-deps.ts';
import type { Command, CommandContext } from '../command.ts';
import { emit } from '../output.ts';

/** What helps when something is wrong. */
export const CARE_COMMANDS: Command[] = [
  {
    name: 'doctor',
    args: [],
    flags: ['peer', 'output'],
    summary: 'check everything that has to work, with the fix for what does not; exit code 1 if something fails',
    examples: ['doctor', 'doctor --peer b'],
    run: runDoctor,
  },
  {
    name: 'logs',
    args: [],
    flags: ['follow', 'previous', 'tail'],
    summary: "print the log of this cluster's agent",
    examples: ['logs -f --tail 20'],
    run: runLogs,
  },
  {
    name: 'support-bundle',
    args: [],
    flags: ['file', 'output'],
    summary: 'write an archive for whoever helps you: objects, logs and checks, without secrets',
    examples: ['support-bundle --file bundle.tar.gz'],
    run: runSupportBundle,
  },
];

const MARKS: Record<Verdict, string> = { ok: 'ok', warning: 'WARNING', failed: 'FAILED', skipped: 'skipped' };

async function runDoctor(context: CommandContext): Promise<number> {
  const { client, clock, version, flags, signal } = context;
  const reports: CheckReport[] = [];
  const asText = context.form === 'text' || context.form === 'wide';
  for await (const report of diagnose(client, { clock, version, signal, peer: flags.peer })) {
    reports.push(report);
    if (asText) context.out(renderReport(report));
  }
  const count = (verdict: Verdict): number => reports.filter((one) => one.verdict === verdict).length;
  const [failures, warnings] = [count('failed'), count('warning')];
  if (asText) context.out(`\n${reports.length} checks: ${failures} failed, ${warnings} with warnings.`);
  else await emit(context, { data: reports, text: () => '', names: () => reports.map((one) => `check/${one.id}`) });
  return failures > 0 ? EXIT.failed : EXIT.ok;
}

function renderReport({ number, title, findings }: CheckReport): string {
  const lines = findings.flatMap(({ verdict, message, fix }) => [
    `   ${MARKS[verdict].padEnd(8)} ${message}`,
    ...(fix === undefined ? [] : [`            → ${fix}`]),
  ]);
  return [`${String(number).padStart(2)}. ${title}`, ...lines].join('\n');
}

async function runLogs(context: CommandContext): Promise<undefined> {
  const { flags, signal } = context;
  const tailLines = flags.tail === undefined ? undefined : Number(flags.tail);
  if (tailLines !== undefined && !(Number.isInteger(tailLines) && tailLines >= 0))
    throw new CodedError('InvalidArgument', `--tail takes a number of lines, not "${flags.tail}"`);
  const log = await openAgentLog(context.client, {
    follow: flags.follow === true,
    previous: flags.previous === true,
    tailLines,
    signal,
  });
  for await (const chunk of log) await context.outRaw(chunk as Uint8Array);
}

async function runSupportBundle(context: CommandContext): Promise<undefined> {
  const { client, clock, version, signal, flags } = context;
  const stamp = new Date(clock.now()).toISOString().slice(0, 19).replace(/[-:]/g, '');
  const folder = `headcut-support-${stamp}`;
  const path = flags.file ?? `${folder}.tar.gz`;
  const files = [];
  for await (const file of collectSupport(client, { clock, version, signal })) {
    files.push(file);
    context.note(
      `${file.path.endsWith('.error') ? 'not collected' : 'collected'}: ${file.path.replace(/\.error$/, '')}`,
    );
  }
  const archive = await packBundle(folder, files);
  await context.writeFile(path, archive);
  const data = { file: path, bytes: archive.length, files: files.map((file) => file.path) };
  await emit(context, { data, text: () => `Wrote ${path} (${files.length} files). Look at it before you send it.` });
}
