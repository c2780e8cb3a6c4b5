/** Whether the programs and libraries of an image are of the architecture that it is for: nothing of it runs where it is built. */
import type { Architecture } from './architecture.ts';
import type { Blob } from './oci-image.ts';
import { readTar } from './tar-archive.ts';

const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');
/** Where the header of an ELF file has the number of its architecture, little-endian on all of ours. */
const MACHINE_OFFSET = 18;

/** Throws when a layer has an ELF file of another architecture. */
export async function checkPrograms(layers: readonly Blob[], architecture: Architecture): Promise<void> {
  for (const layer of layers) {
    for await (const { path, data } of readTar(layer.data)) {
      if (!data.subarray(0, ELF_MAGIC.length).equals(ELF_MAGIC)) continue;
      const machine = data.readUInt16LE(MACHINE_OFFSET);
      if (machine !== architecture.elfMachine)
        throw new Error(`${path} is not a file for ${architecture.name} (ELF machine ${machine})`);
    }
  }
}
