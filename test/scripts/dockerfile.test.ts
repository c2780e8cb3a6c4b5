import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Copy,
  type Dockerfile,
  DockerfileParser,
  type From,
  type Instruction,
  type JSONInstruction,
  type PropertyInstruction,
} from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { describe, expect, test } from 'vitest';
import { headcut } from '../../scripts/image/recipes/headcut.ts';

const root = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(root, 'scripts', 'image', 'Dockerfile'), 'utf8');
const dockerfile: Dockerfile = DockerfileParser.parse(text);
const instructions = dockerfile.getInstructions();

/** The instructions of the image itself: what comes after the last FROM. */
const image = instructions.slice(instructions.findLastIndex((one) => one.getKeyword() === 'FROM'));
const build = instructions.slice(0, -image.length);

const named = <T extends Instruction>(keyword: string, among = image): T[] =>
  among.filter((one): one is T => one.getKeyword() === keyword);
const flagsOf = (one: Copy | From) => one.getFlags().map((flag) => `${flag.getName()}=${flag.getValue()}`);
const properties = (keyword: string) =>
  named<PropertyInstruction>(keyword).flatMap((one) =>
    one.getProperties().map((property) => [property.getName(), property.getValue() ?? ''] as const),
  );

describe('the Dockerfile', () => {
  test('has no error that a linter knows', () => {
    expect(validate(text).map(({ message, range }) => `${range.start.line + 1}: ${message}`)).toEqual([]);
    expect(validate('FROM scratch\nCOPPY a b\n')).not.toEqual([]);
  });

  test('makes an image of the layers of scripts/build-image and nothing else', () => {
    const [from] = named<From>('FROM');
    expect(from?.getImage()).toBe('scratch');
    const copied = named<Copy>('COPY').map((one) => [...flagsOf(one), ...one.getArguments().map(String)]);
    expect(copied).toEqual(headcut.layers.map((layer) => ['from=build', `/layers/headcut/${layer}/`, '/']));
    const others = image.map((one) => one.getKeyword()).filter((keyword) => !['FROM', 'COPY'].includes(keyword));
    expect(others.sort()).toEqual(['ENTRYPOINT', 'ENV', 'LABEL', 'USER']);
    const last = named('RUN', build).at(-1)?.getArgumentsContent();
    expect(last).toBe('scripts/build-image --arch "$TARGETARCH" --unpack /layers headcut');
  });

  test('has user, environment, start and labels of the image that scripts/build-image makes', () => {
    const { User, Env, Entrypoint, Labels } = headcut.settings;
    expect(named('USER')[0]?.getArgumentsContent()).toBe(User);
    expect(properties('ENV').map(([name, value]) => `${name}=${value}`)).toEqual(Env);
    expect(
      named<JSONInstruction>('ENTRYPOINT')[0]
        ?.getJSONStrings()
        .map((one) => one.getJSONValue()),
    ).toEqual(Entrypoint);
    expect(Object.fromEntries(properties('LABEL'))).toEqual(Labels);
  });

  test('executes nothing of a foreign architecture, on a Debian that the recipe knows', () => {
    const stages = named<From>('FROM', build);
    expect(stages.length).toBeGreaterThan(1);
    for (const stage of stages) {
      expect(flagsOf(stage)).toEqual(['platform=$BUILDPLATFORM']);
      expect(stage.getImage()).toContain('-bookworm');
    }
  });

  test('copies what there is, and all that the build reads of the tree', () => {
    const sources = named<Copy>('COPY', build)
      .filter((one) => one.getFlags().length === 0)
      .flatMap((one) => one.getArguments().slice(0, -1).map(String));
    const tracked = execFileSync('git', ['ls-files', ...sources], { cwd: root, encoding: 'utf8' });
    for (const source of sources) expect(tracked).toMatch(new RegExp(`^${source}(/|$)`, 'm'));
    expect(sources).toEqual(
      expect.arrayContaining(['package.json', 'package-lock.json', 'src', 'scripts', 'manifests']),
    );
    const ignored = readFileSync(join(root, 'scripts', 'image', 'Dockerfile.dockerignore'), 'utf8').split('\n');
    expect(sources.filter((source) => ignored.includes(source))).toEqual([]);
  });
});
