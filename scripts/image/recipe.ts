/** A recipe says what an image is made from and how. */

import { join } from 'node:path';
import type { Architecture } from './architecture.ts';
import { withTemporaryFolder } from './cache.ts';
import { unpackPackages } from './debian-packages.ts';
import type { Blob, ImageSettings } from './oci-image.ts';

export interface RecipeContext {
  /** The repository. */
  readonly root: string;
  /** The folder below the user's cache that belongs to image builds. */
  readonly cache: string;
  readonly architecture: Architecture;
  /** The recipe's Debian package files, in the order of `debianPackages`. */
  readonly packageFiles: readonly string[];
  /** Shows a line to the user. */
  readonly say: (line: string) => void;
}

export interface Recipe {
  /** The name on the command line, of the archive, and of the image below the registry name. */
  readonly name: string;
  readonly debianPackages: readonly string[];
  readonly settings: ImageSettings;
  /** What each layer holds, the lowest first. */
  readonly layers: readonly string[];
  /** Why the image cannot be built now, if so. */
  obstacle?(root: string): string | undefined;
  /** What decides the image's content besides the Debian packages and the files of `scripts/`. */
  inputs(context: RecipeContext): Promise<readonly string[]>;
  /** The layers, in the order of `layers`. */
  build(context: RecipeContext): Promise<readonly Blob[]>;
}

/** The user of images that need no root; a number, so that `runAsNonRoot` can be verified by the kubelet. */
export const imageUser = 65532;

/** Gives `use` a folder with the files of the recipe's packages. */
export function withUnpackedPackages<T>(context: RecipeContext, use: (folder: string) => Promise<T>): Promise<T> {
  return withTemporaryFolder(join(context.cache, 'unpacked'), async (folder) => {
    await unpackPackages(context.packageFiles, folder);
    return use(folder);
  });
}
