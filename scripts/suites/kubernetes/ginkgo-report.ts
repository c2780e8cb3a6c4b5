/** What became of each test in a run of Ginkgo, from its JSON report. */
import { readFile } from 'node:fs/promises';

export interface TestResult {
  /** As Ginkgo's focus matches it: the texts of its containers and its own. */
  name: string;
  passed: boolean;
  seconds: number;
  /** First lines of what was wrong. */
  failure: string | undefined;
}

interface SpecReport {
  ContainerHierarchyTexts: string[] | null;
  LeafNodeType: string;
  LeafNodeText: string;
  State: string;
  /** Nanoseconds. */
  RunTime: number;
  Failure?: { Message?: string };
}

const FAILURE_LENGTH = 600;

/** The tests that ran: those that were skipped are left out. */
export async function readGinkgoReport(path: string): Promise<TestResult[]> {
  const suites = JSON.parse(await readFile(path, 'utf8')) as { SpecReports: SpecReport[] | null }[];
  return suites
    .flatMap(({ SpecReports }) => SpecReports ?? [])
    .filter(({ LeafNodeType, State }) => LeafNodeType === 'It' && State !== 'skipped' && State !== 'pending')
    .map((spec) => ({
      name: [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(' '),
      passed: spec.State === 'passed',
      seconds: Math.round(spec.RunTime / 1e8) / 10,
      failure: spec.State === 'passed' ? undefined : (spec.Failure?.Message ?? spec.State).slice(0, FAILURE_LENGTH),
    }));
}
