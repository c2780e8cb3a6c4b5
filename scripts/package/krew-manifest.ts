/** The manifest by which krew, the package manager of kubectl's plugins, installs the command as `kubectl headcut`. */
import { stringify } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };

export interface KrewArchive {
  /** Where krew fetches it. */
  readonly url: string;
  readonly sha256: string;
  /** The program's name in the archive's folder `package`. */
  readonly program: string;
  /** What the program loads, beside it. */
  readonly besides: readonly string[];
  readonly folders: readonly string[];
}

const DESCRIPTION = `headcut shows each cluster of a federation as a node in all others, and runs pods there that
are bound to it. There is no hub and no shared control plane.
With this command clusters are installed, invited, joined and looked after; kubectl headcut help
lists what it does.
`;

const CAVEATS = `It is a program for Node.js ${packageJson.engines.node.replace(/^>=/, '')} or newer, which has to be on the PATH as node.
`;

/** Text of the manifest. */
export function krewManifest({ url, sha256, program, besides, folders }: KrewArchive): string {
  const { name, version, description } = packageJson;
  return stringify(
    {
      apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
      kind: 'Plugin',
      metadata: { name },
      spec: {
        version: `v${version}`,
        shortDescription: description,
        description: DESCRIPTION,
        caveats: CAVEATS,
        platforms: [
          {
            // One program for all processors; what starts it, the first line of a script, is unknown to Windows.
            selector: { matchExpressions: [{ key: 'os', operator: 'In', values: ['linux', 'darwin'] }] },
            uri: url,
            sha256,
            files: [
              ...[program, ...besides, 'LICENSE', 'THIRD-PARTY-LICENSES'].map((file) => ({
                from: `package/${file}`,
                to: '.',
              })),
              ...folders.map((folder) => ({ from: `package/${folder}/*`, to: folder })),
            ],
            bin: program,
          },
        ],
      },
    },
    { lineWidth: 0 },
  );
}
