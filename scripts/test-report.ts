/**
 * `test-report.ts REPORT`: tells what a JSON report of vitest says: on stdout "PASSED FAILED", the counts; on stderr each
 * test that failed, and each file that failed without one (one failure), with the first line of why.
 */
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] | null }[];
  }[];
}

const [, , path = ''] = process.argv;
// A run that was killed has none.
if (!existsSync(path)) process.exit(1);
const report: Report = JSON.parse(readFileSync(path, 'utf8'));
let failed = report.numFailedTests;
for (const file of report.testResults) {
  const tests = file.assertionResults.filter(({ status }) => status === 'failed');
  for (const { fullName, failureMessages } of tests) tell(`${pathOf(file.name)} > ${fullName}`, failureMessages?.[0]);
  if (tests.length === 0 && file.status === 'failed') {
    failed += 1;
    tell(`${pathOf(file.name)}, which could not be loaded, set up or torn down`, file.message);
  }
}
console.log(`${report.numPassedTests} ${failed}`);

function tell(what: string, why = ''): void {
  const [first] = why.split('\n');
  console.error(`FAILED: ${what}${first ? `\n        ${first}` : ''}`);
}

function pathOf(file: string): string {
  return relative(process.cwd(), file);
}
