import { ageText } from '../../core/explain/age.ts';
import { inGiB } from '../../core/volume/guest-volume.ts';
import { deleteVolume, keepVolume, type ListedVolume, listVolumes } from '../../ops/volumes.ts';
import { type Command, type CommandContext, UsageError } from '../command.ts';
import { emit } from '../output.ts';
import { renderTable } from '../table.ts';

const ACTIONS = ['keep', 'release', 'delete'] as const;

export const VOLUMES_COMMAND: Command = {
  name: 'volumes',
  args: [
    { name: 'ACTION', optional: true, completes: ACTIONS },
    { name: 'UID', optional: true },
  ],
  flags: ['force', 'output'],
  summary:
    'list volumes whose data is on another member than their claim; keep, release or delete what is here of a former member',
  examples: ['volumes', 'volumes keep 3f2a91c4', 'volumes delete 3f2a91c4'],
  run: runVolumes,
};

async function runVolumes(context: CommandContext): Promise<undefined> {
  const [action, uid] = context.args;
  if (action === undefined) return showAll(context);
  if (!(ACTIONS as readonly string[]).includes(action) || uid === undefined)
    throw new UsageError(`headcut volumes takes nothing, or one of ${ACTIONS.join(', ')} and the UID of a volume`);
  const done = await act(context, action as (typeof ACTIONS)[number], uid);
  const text = {
    keep: `Data of ${done.claim} is kept here until headcut volumes release ${uid}.`,
    release: `Data of ${done.claim} is kept here as long as spec.storage.keepHours of the Federation says.`,
    delete: `Data of ${done.claim} is being deleted here.`,
  }[action as (typeof ACTIONS)[number]];
  await emit(context, { data: done, text: () => text, names: () => [`volume/${done.uid}`] });
  return undefined;
}

function act({ client, flags }: CommandContext, action: (typeof ACTIONS)[number], uid: string): Promise<ListedVolume> {
  switch (action) {
    case 'keep':
      return keepVolume(client, uid, true);
    case 'release':
      return keepVolume(client, uid, false);
    case 'delete':
      return deleteVolume(client, uid, flags.force === true);
  }
}

async function showAll(context: CommandContext): Promise<undefined> {
  const volumes = await listVolumes(context.client);
  const now = context.clock.now();
  const text = (): string =>
    volumes.length === 0 ? 'No data of others is here, and none of this cluster elsewhere.' : volumeTable(volumes, now);
  await emit(context, { data: volumes, text, names: () => volumes.map(({ uid }) => `volume/${uid}`) });
  return undefined;
}

function volumeTable(volumes: readonly ListedVolume[], now: number): string {
  const rows = volumes.map((one) => [
    one.data,
    one.peer,
    one.claim,
    inGiB(one.bytes),
    one.state,
    one.kept === true ? 'kept' : one.leftAt === undefined ? '-' : `left ${ageText(now, one.leftAt)} ago`,
    one.uid.slice(0, 8),
  ]);
  return renderTable(['DATA', 'PEER', 'CLAIM', 'SIZE', 'STATE', 'HOME', 'UID'], rows);
}
