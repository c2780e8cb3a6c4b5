/**
 * An OCI image as data: layers and settings in, the blobs and documents of an image layout out.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
import { createHash } from 'node:crypto';
import type { Architecture } from './architecture.ts';
import { asFileTree, packTar, type TarEntry } from './tar-archive.ts';

/** Content and its address, `sha256:…`. */
export interface Blob {
  readonly digest: string;
  readonly data: Buffer;
}

/** How a container of the image starts, in the words of the OCI image configuration. */
export interface ImageSettings {
  readonly User?: string;
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface Image {
  /** With registry and tag: `headcut.dev/pause:0.1.0`. */
  readonly reference: string;
  /** Further names of the same image. */
  readonly aliases?: readonly string[];
  readonly architecture: Architecture;
  readonly settings: ImageSettings;
  /** Uncompressed tars, the lowest first. */
  readonly layers: readonly Blob[];
  /** What the image was made from; kept in the index so that a later run can tell that nothing changed. */
  readonly fingerprint: string;
}

export const fingerprintAnnotation = 'dev.headcut.inputs';

const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

export function toBlob(data: Buffer): Blob {
  return { digest: `sha256:${createHash('sha256').update(data).digest('hex')}`, data };
}

/**
 * A layer. It stays uncompressed: on the machine that builds an image and imports it, compressing and
 * uncompressing take longer than copying (src/README.md, Decisions).
 */
export async function createLayer(entries: readonly TarEntry[]): Promise<Blob> {
  return toBlob(await packTar(asFileTree(entries)));
}

const toJson = (value: unknown) => Buffer.from(JSON.stringify(value));
const descriptorOf = (mediaType: string, blob: Blob) => ({ mediaType, digest: blob.digest, size: blob.data.length });
const namesOf = ({ reference, aliases = [] }: Image) => [reference, ...aliases];
const blobPath = (blob: Blob) => `blobs/${blob.digest.replace(':', '/')}`;

function configOf({ architecture, settings, layers }: Image) {
  return {
    created: '1970-01-01T00:00:00Z',
    architecture: architecture.name,
    ...(architecture.variant ? { variant: architecture.variant } : {}),
    os: 'linux',
    config: settings,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) },
  };
}

function indexOf(image: Image, manifest: Blob) {
  const { name: architecture, variant } = image.architecture;
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: namesOf(image).map((reference) => ({
      ...descriptorOf(mediaTypes.manifest, manifest),
      // containerd takes the full name from its own annotation; the specification's holds the tag only.
      annotations: {
        'io.containerd.image.name': reference,
        'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
      },
      platform: { architecture, os: 'linux', ...(variant ? { variant } : {}) },
    })),
    annotations: { [fingerprintAnnotation]: image.fingerprint },
  };
}

/**
 * The files of the image's archive. The index is the first, so that its annotations can be read without reading the layers.
 * `manifest.json` is for `docker load`; containerd ignores it where `oci-layout` exists.
 */
export function imageFiles(image: Image): TarEntry[] {
  const config = toBlob(toJson(configOf(image)));
  const manifest = toBlob(
    toJson({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptorOf(mediaTypes.config, config),
      layers: image.layers.map((layer) => descriptorOf(mediaTypes.layer, layer)),
    }),
  );
  const docker = [{ Config: blobPath(config), RepoTags: namesOf(image), Layers: image.layers.map(blobPath) }];
  return [
    { kind: 'file', path: 'index.json', data: toJson(indexOf(image, manifest)) },
    { kind: 'file', path: 'oci-layout', data: toJson({ imageLayoutVersion: '1.0.0' }) },
    { kind: 'file', path: 'manifest.json', data: toJson(docker) },
    { kind: 'directory', path: 'blobs' },
    { kind: 'directory', path: 'blobs/sha256' },
    ...[manifest, config, ...image.layers].map(
      (blob) => ({ kind: 'file', path: blobPath(blob), data: blob.data }) as const,
    ),
  ];
}
