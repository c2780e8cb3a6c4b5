import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'security.md'), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| what holds'));

test('docs/security.md has a table for each role', () => {
  const chapters = page.split('\n## ').slice(1);
  expect(chapters.length).toBeGreaterThanOrEqual(6);
  expect(chapters.filter((chapter) => !chapter.includes('| what holds | shown by |'))).toEqual([]);
});

test.each(rows)('%s', (row) => {
  const named = [...row.matchAll(/`(test\/[^`]+\.test\.ts)` “([^”]+)”/g)];
  expect(named.length, 'tests that it names').toBeGreaterThan(0);
  for (const [, file = '', title = ''] of named) {
    expect(existsSync(join(root, file)), file).toBe(true);
    const text = readFileSync(join(root, file), 'utf8').replaceAll("\\'", "'");
    const isThere = ["'", '"', '`'].some((quote) => text.includes(`${quote}${title}${quote}`));
    expect(isThere, `${file} has a test “${title}”`).toBe(true);
  }
});
