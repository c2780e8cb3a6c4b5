import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../../runtime/command.ts';
import type { LabStep } from '../lab-context.ts';

const IMAGES = ['pause', 'demo', 'headcut', 'kubectl'];
const BUILD_TIMEOUT_MS = 15 * 60_000;

/** Builds the lab's images from Debian packages and this checkout, and loads them into every cluster. */
export const imagesStep: LabStep = {
  title: 'building and loading images',
  run: async ({ root, topology, provider, progress, signal }) => {
    if (!provider.runsContainers) {
      await execute(['node', join(root, 'scripts', 'bundle.ts')], { cwd: root, timeoutMs: BUILD_TIMEOUT_MS, signal });
      return progress.say('no containers run in these clusters: made the program of the agent alone');
    }
    await execute([join(root, 'scripts', 'build-image')], { cwd: root, timeoutMs: BUILD_TIMEOUT_MS, signal });
    const archives = IMAGES.map((name) => join(root, 'dist', 'images', `${name}.tar`)).filter(existsSync);
    await Promise.all(
      topology.clusters.map(async (cluster) => {
        for (const archive of archives) await provider.loadImage(cluster, archive);
      }),
    );
    progress.say(`loaded ${archives.length} images into ${topology.clusters.length} clusters`);
  },
};
