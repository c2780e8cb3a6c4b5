import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readGinkgoReport } from '../../scripts/suites/kubernetes/ginkgo-report.ts';

describe('the report of a run of Kubernetes’ own tests', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headcut-ginkgo-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function read(specs: object[]) {
    const path = join(folder, 'report.json');
    await writeFile(path, JSON.stringify([{ SpecReports: specs }]));
    return readGinkgoReport(path);
  }
  const spec = (text: string, more: object) => ({
    ContainerHierarchyTexts: ['[sig-node] Pods'],
    LeafNodeType: 'It',
    LeafNodeText: text,
    State: 'passed',
    RunTime: 1_250_000_000,
    ...more,
  });

  it('names each test as a focus matches it, with its seconds', async () => {
    expect(await read([spec('should start [Conformance]', {})])).toEqual([
      { name: '[sig-node] Pods should start [Conformance]', passed: true, seconds: 1.3, failure: undefined },
    ]);
  });

  it('says what was wrong with one that failed', async () => {
    const [result] = await read([spec('a', { State: 'failed', Failure: { Message: 'timed out' } })]);
    expect(result).toMatchObject({ passed: false, failure: 'timed out' });
  });

  it('counts one that was aborted without a message as failed', async () => {
    const [result] = await read([spec('a', { State: 'interrupted' })]);
    expect(result).toMatchObject({ passed: false, failure: 'interrupted' });
  });

  it('leaves out what did not run, and what is no test', async () => {
    const others = [
      spec('a', { State: 'skipped' }),
      spec('b', { State: 'pending' }),
      spec('', { LeafNodeType: 'SynchronizedBeforeSuite', ContainerHierarchyTexts: null }),
    ];
    expect(await read(others)).toEqual([]);
  });
});
