/** What the documents name exists, and what is generated is fresh. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CORE_WHEN, errorsPage, RESERVED, VAULT_WHEN } from '../../docs/errors.ts';
import { failuresPage } from '../../docs/failures.ts';
import { savingsPage } from '../../examples/savings/page.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ADRS = readdirSync(`${ROOT}docs/adr`).sort();
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTEXT.md',
  'CHANGELOG.md',
  'docs/runbook.md',
  'docs/errors.md',
  'docs/failures.md',
  'docs/feeds.md',
  'docs/incidents.md',
  'docs/metrics.md',
  'docs/savings.md',
  ...ADRS.map((name) => `docs/adr/${name}`),
];
const SOURCES = ['packages/core/src', 'packages/vault/src'];
/** What git does not keep, and so no document may point to. */
const MADE_WHILE_RUNNING = ['data/'];

const read = (path: string): string => readFileSync(ROOT + path, 'utf8');
const inPackages = (path: string): boolean =>
  SOURCES.some((source) => existsSync(join(ROOT, source, path)));

/** The formatter pads tables to their widest cell. */
const unpadded = (text: string): string => text.replace(/ *\| */g, '|').replace(/-{3,}/g, '---');

/** As GitHub makes them of headings. */
function anchorsOf(path: string): string[] {
  const headings = read(path).match(/^#+ .+$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('docs/incidents.md', () => {
  const rows = [...read('docs/incidents.md').matchAll(/^\| T(\d+) +\|.*$/gm)];

  it('has every incident, in order', () => {
    expect(rows.map(([, number]) => Number(number))).toEqual(
      Array.from({ length: 65 }, (_, index) => index + 1),
    );
  });

  it('names tests that name it, or says what it waits for', () => {
    const wrong = rows.filter(([row, number]) => {
      const tests = [...row.matchAll(/`((?:packages|test)\/[^`]+)`/g)].map(([, path]) => path!);
      if (tests.length === 0) return !/\| waits for/.test(row);
      return !tests.every((path) => new RegExp(`\\bT${number}\\b`).test(read(path)));
    });
    expect(wrong.map(([row]) => row)).toEqual([]);
  });
});

describe.each(DOCUMENTS)('%s', (document) => {
  const text = read(document);

  it('links only to what exists', () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
    for (const link of links.filter((target) => !/^https?:/.test(target))) {
      const [path, anchor] = link.split('#') as [string, string | undefined];
      const target = path === '' ? document : join(dirname(document), path);
      expect(existsSync(ROOT + target), `${document} links to ${link}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(target), link).toContain(anchor);
    }
  });

  it('names only paths that exist', () => {
    const named =
      text.match(/(?<![\w/])(?:packages|examples|docs|test|bench|deploy)\/[\w@./-]*\w/g) ?? [];
    for (const path of named) expect(existsSync(ROOT + path), path).toBe(true);

    const sources = [...text.matchAll(/`((?:[a-z-]+\/)*[a-z-]+\.ts)`/g)].map(([, path]) => path!);
    for (const path of sources) {
      const found = inPackages(path) || existsSync(ROOT + path);
      expect(found, `${document} names ${path}`).toBe(true);
    }
  });

  it('knows nothing of the machine that it was written on', () => {
    expect(text).not.toMatch(/\/(?:home|root|Users|work)\//);
    for (const folder of MADE_WHILE_RUNNING) expect(text).not.toContain(`](${folder}`);
  });
});

describe('README.md', () => {
  it('fits in 150 lines', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150);
  });
});

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md');

  it.each(SOURCES)('names every folder of %s', (source) => {
    const folders = readdirSync(join(ROOT, source)).filter((name) =>
      statSync(join(ROOT, source, name)).isDirectory(),
    );
    for (const folder of folders) expect(text, folder).toContain(`${folder}/`);
  });

  it('numbers its invariants without a gap', () => {
    const numbers = [...text.matchAll(/^\| I(\d+) +\|/gm)].map(([, number]) => Number(number));
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers).toEqual(numbers.map((_, nth) => nth + 1));
  });
});

describe('docs/adr', () => {
  it('is numbered without a gap', () => {
    expect(ADRS.map((name) => Number(name.slice(0, 4)))).toEqual(ADRS.map((_, nth) => nth + 1));
  });

  it.each(ADRS)('%s has its number, its four parts, and fits on a page', (name) => {
    const text = read(`docs/adr/${name}`);
    expect(text).toMatch(new RegExp(`^# ${Number(name.slice(0, 4))}\\. \\S`));
    expect(text.match(/^## .+$/gm)).toEqual([
      '## Context',
      '## Decision',
      '## Rejected',
      '## Consequences',
    ]);
    expect(text.split(/\s+/).length).toBeLessThan(500);
  });
});

describe('docs/failures.md', () => {
  it('is what `node docs/failures.ts` makes of the failure matrix', () => {
    expect(unpadded(read('docs/failures.md'))).toBe(unpadded(failuresPage()));
  });
});

describe('docs/savings.md', () => {
  it('is what `node examples/savings/main.ts --write` makes of the price table', () => {
    const { markdown, svg } = savingsPage(1);
    expect(unpadded(read('docs/savings.md'))).toBe(unpadded(markdown));
    expect(read('docs/savings.svg')).toBe(svg);
  });

  it('says what the README says', () => {
    const headline = /(\d+ %) less than the mean seller, (\d+ %) .* median seller, and (\d+ %)/;
    const [, mean, median, second] = headline.exec(read('docs/savings.md'))!;
    expect(read('README.md')).toContain(
      `${mean} less than the mean seller, ${median} less than the median one and ${second} less than the second-cheapest`,
    );
  });
});

describe('docs/errors.md', () => {
  it('is what `node docs/errors.ts` makes of the tables', () => {
    expect(unpadded(read('docs/errors.md'))).toBe(unpadded(errorsPage()));
  });

  it.each([
    ['core', CORE_WHEN],
    ['vault', VAULT_WHEN],
  ] as const)('calls no code of %s reserved that is answered', (name, when) => {
    const files = readdirSync(`${ROOT}packages/${name}/src`, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && path !== 'errors.ts')
      .map((path) => read(`packages/${name}/src/${path}`));
    for (const [code, sentence] of Object.entries(when)) {
      if (sentence !== RESERVED) continue;
      expect(
        files.some((text) => text.includes(`'${code}'`)),
        code,
      ).toBe(false);
    }
  });
});
