/**
 * What routing by price saves, at real list prices: prints the page, or writes it to docs/.
 * `node examples/savings/main.ts [--seed N] [--write]`
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { savingsPage } from './page.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed) || seed < 1) {
  throw new Error(`--seed must be a whole number from 1: ${values.seed}`);
}
const { markdown, svg } = savingsPage(seed);
if (values.write) {
  const docs = new URL('../../docs/', import.meta.url);
  writeFileSync(new URL('savings.md', docs), markdown);
  writeFileSync(new URL('savings.svg', docs), svg);
} else {
  process.stdout.write(markdown);
}
