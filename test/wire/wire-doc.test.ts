import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { renderWireDoc } from '../../scripts/wire-doc.ts';

it('docs/wire.md says what the definitions say (npm run wire-doc)', () => {
  expect(readFileSync(join(import.meta.dirname, '../../docs/wire.md'), 'utf8')).toBe(renderWireDoc());
});
