import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseArchitecture } from '../../scripts/image/architecture.ts';
import { readFingerprint, writeImageArchive } from '../../scripts/image/image-archive.ts';
import { createLayer, type Image } from '../../scripts/image/oci-image.ts';
import { readTar, type TarEntry } from '../../scripts/image/tar-archive.ts';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

const files: TarEntry[] = [
  { kind: 'file', path: 'usr/bin/hello', data: Buffer.from('#!/bin/sh\n'), mode: 0o755 },
  { kind: 'symlink', path: 'bin', target: 'usr/bin' },
];

async function tinyImage(change: Partial<Image> = {}): Promise<Image> {
  return {
    reference: 'example.test:5000/tiny:1.2',
    architecture: parseArchitecture('arm64'),
    settings: { User: '1:1', Entrypoint: ['/bin/hello'] },
    layers: [await createLayer(files), await createLayer([{ kind: 'file', path: 'app', data: Buffer.from('x') }])],
    fingerprint: 'made of this',
    ...change,
  };
}

describe('image archive', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headcut-image-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function write(image: Image): Promise<string> {
    const path = join(folder, 'tiny.tar');
    await writeImageArchive(path, image);
    return path;
  }

  async function unpack(image: Image) {
    const contents = new Map<string, Buffer>();
    for await (const { path, data } of readTar(await readFile(await write(image)))) contents.set(path, data);
    const bytes = (path: string) => contents.get(path) ?? expect.fail(`${path} is missing`);
    const json = (path: string) => JSON.parse(bytes(path).toString());
    const follow = ({ digest, size }: Descriptor) => {
      const data = bytes(`blobs/${digest.replace(':', '/')}`);
      expect({ digest: `sha256:${createHash('sha256').update(data).digest('hex')}`, size: data.length }).toEqual({
        digest,
        size,
      });
      return data;
    };
    const followJson = (descriptor: Descriptor) => JSON.parse(follow(descriptor).toString());
    return { json, bytes, follow, followJson };
  }

  it('names its content by digest and size from the index down to the layers', async () => {
    const image = await tinyImage();
    const { json, follow, followJson } = await unpack(image);
    expect(json('oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' });
    const manifest = followJson(json('index.json').manifests[0]);
    const config = followJson(manifest.config);
    expect(config.rootfs.diff_ids).toEqual(image.layers.map((layer) => layer.digest));
    expect(manifest.layers.map((layer: Descriptor) => follow(layer))).toEqual(image.layers.map((layer) => layer.data));
    expect(config).toMatchObject({ os: 'linux', architecture: 'arm64', variant: 'v8', config: image.settings });
  });

  it('carries the reference for containerd, for OCI tools and for docker load', async () => {
    const { json, bytes } = await unpack(await tinyImage());
    expect(json('index.json').manifests[0]).toMatchObject({
      annotations: {
        'io.containerd.image.name': 'example.test:5000/tiny:1.2',
        'org.opencontainers.image.ref.name': '1.2',
      },
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    });
    const [docker] = json('manifest.json');
    expect(docker.RepoTags).toEqual(['example.test:5000/tiny:1.2']);
    for (const path of [docker.Config, ...docker.Layers]) bytes(path);
  });

  it('has the same bytes when made again', async () => {
    const first = await readFile(await write(await tinyImage()));
    const again = await readFile(await write(await tinyImage({ layers: (await tinyImage()).layers })));
    expect(again.equals(first)).toBe(true);
  });

  it('gives back the fingerprint it was written with', async () => {
    expect(await readFingerprint(await write(await tinyImage()))).toBe('made of this');
  });

  it('has no fingerprint when it is missing, cut short or of another tool', async () => {
    const path = join(folder, 'other.tar');
    expect(await readFingerprint(path)).toBeUndefined();
    await writeFile(path, 'this is not an archive');
    expect(await readFingerprint(path)).toBeUndefined();
    await writeFile(path, (await readFile(await write(await tinyImage()))).subarray(0, 600));
    expect(await readFingerprint(path)).toBeUndefined();
    const [layer] = (await tinyImage()).layers;
    await writeFile(path, layer!.data);
    expect(await readFingerprint(path)).toBeUndefined();
  });
});
