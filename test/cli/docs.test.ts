import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FixedCluster } from './cluster-fixture.ts';
import { blocked, cluster, type Faults, healthy } from './doctor-fixture.ts';
import { run } from './run.ts';

/** What stands behind the comment after a command in docs/cli.md. */
const SCENES: Record<string, Faults> = {
  'all is well': { objects: healthy },
  'UDP is blocked': { objects: { peers: blocked } },
  'a clock is wrong': { objects: healthy, aheadSeconds: 90, peer: { clockSkewMs: -90_000 } },
  'a peer is dead': {},
};

const BLOCK = /```text\n\$ headcut ([^#\n]*?)(?: +# ([^\n]*))?\n[\s\S]*?```/g;

async function transcript(command: string, scene: string | undefined): Promise<string> {
  const faults = SCENES[scene ?? ''];
  const { out } = await run(command.split(' '), (faults === undefined ? new FixedCluster() : cluster(faults)).client);
  const line = scene === undefined ? command : `${command}   # ${scene}`;
  return `\`\`\`text\n$ headcut ${line}\n${out}\`\`\``;
}

test('docs/cli.md shows what the commands really print', async () => {
  const path = join(import.meta.dirname, '..', '..', 'docs', 'cli.md');
  const page = readFileSync(path, 'utf8');
  const found = [...page.matchAll(BLOCK)];
  expect(found.length).toBeGreaterThan(8);
  let fresh = page;
  for (const [block, command = '', scene] of found) {
    const shown = await transcript(command, scene);
    fresh = fresh.replace(block, () => shown);
  }
  await expect(fresh).toMatchFileSnapshot(path);
});
