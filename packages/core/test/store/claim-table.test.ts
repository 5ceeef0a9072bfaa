import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createClaimTable } from '../../src/store/claim-table.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { createWriter, type Writer } from '../../src/store/writer.ts';

let dir: string;
let store: Store;
let writer: Writer;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'arbstr-'));
  store = openStore(join(dir, 'core.db'));
  writer = createWriter(store.db, () => {});
});

afterEach(() => {
  writer.close();
  store.close();
  rmSync(dir, { recursive: true });
});

it('forgets every expired claim, in steps, and no other', async () => {
  const claims = createClaimTable(store.db, writer);
  const keep = (name: string, expiresAtMs: number) =>
    claims.keep({
      owner: 'ag_1',
      name,
      bodyHash: 'hash',
      costMsat: 1,
      answer: null,
      createdAtMs: 0,
      expiresAtMs,
    });
  await Promise.all([
    keep('lives', 11),
    ...Array.from({ length: 1_001 }, (_, i) => keep(`key:${i}`, 10)),
  ]);
  expect(claims.prune(10)).toBe(true);
  expect(claims.prune(10)).toBe(false);
  const left = store.db.prepare('select name from claims').pluck().all();
  expect(left).toEqual(['lives']);
});
