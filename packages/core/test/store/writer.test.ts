/**
 * The journal's promises on a disk that refuses: SQLITE_FULL is made by `max_page_count`, which is
 * the same error, from the same place, as a full disk.
 */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/store/open.ts';
import { createWriter, type Writer } from '../../src/store/writer.ts';

let dir: string;
let store: Store;
let writer: Writer;
let faults: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'arbstr-'));
  store = openStore(join(dir, 'core.db'));
  faults = [];
  writer = createWriter(store.db, (error) => faults.push(error.message));
  store.db.exec('create table notes (text text not null)');
});

afterEach(() => {
  writer.close();
  store.close();
  rmSync(dir, { recursive: true });
});

const put = (text: string) => () => {
  store.db.prepare('insert into notes values (?)').run(text);
};
const notes = () =>
  (store.db.prepare('select text from notes order by rowid').all() as { text: string }[]).map(
    ({ text }) => text[0],
  );

function fillDisk(): void {
  const pages = store.db.pragma('page_count', { simple: true }) as number;
  store.db.pragma(`max_page_count = ${pages}`);
}
const freeDisk = () => store.db.pragma('max_page_count = 1000000');
const BIG = 'x'.repeat(20_000);

describe('writer', () => {
  it('commits what arrives in one turn together', async () => {
    await Promise.all([writer.durable(put('a')), writer.lasting(put('b'))]);
    expect(notes()).toEqual(['a', 'b']);
    expect(store.db.pragma('synchronous', { simple: true })).toBe(2);
  });

  it('lets lazy writes go with the next commit, or soon by themselves', async () => {
    writer.lazy(put('a'));
    await writer.lasting(put('b'));
    expect(notes()).toEqual(['a', 'b']);
    writer.lazy(put('c'));
    expect(notes()).toEqual(['a', 'b']);
    await expect.poll(notes).toEqual(['a', 'b', 'c']);
  });

  it('refuses durable writes on a full disk and says why', async () => {
    fillDisk();
    await expect(writer.durable(put(`a${BIG}`))).rejects.toThrow(/full/);
    expect(writer.trouble).toMatch(/full/);
    freeDisk();
    expect(notes()).toEqual([]);
  });

  it('keeps what has happened until the disk takes it', async () => {
    fillDisk();
    const end = writer.lasting(put(`e${BIG}`));
    const refused = writer.durable(put(`a${BIG}`));
    await expect(refused).rejects.toThrow();
    expect(notes()).toEqual([]);
    freeDisk();
    expect(writer.flush()).toBe(true);
    await end;
    expect(notes()).toEqual(['e']);
    expect(writer.trouble).toBeNull();
  });

  it('lets nobody wait for a disk that refuses, and writes all the same when it is back', async () => {
    fillDisk();
    await writer.lasting(put(`e${BIG}`));
    expect(writer.trouble).toMatch(/full/);
    expect(notes()).toEqual([]);
    freeDisk();
    await expect.poll(notes, { timeout: 5_000 }).toEqual(['e']);
  });

  it('lets one faulty write fail alone', async () => {
    const faulty = () => {
      store.db.prepare('insert into notes values (null)').run();
    };
    const results = await Promise.allSettled([
      writer.lasting(put('a')),
      writer.durable(faulty),
      writer.lasting(faulty),
      writer.durable(put('b')),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(notes()).toEqual(['a', 'b']);
    expect(faults).toHaveLength(1);
    expect(writer.trouble).toBeNull();
  });

  it('notices by itself that the disk is back', async () => {
    fillDisk();
    await expect(writer.durable(put(`a${BIG}`))).rejects.toThrow();
    freeDisk();
    await expect.poll(() => writer.trouble, { timeout: 5_000 }).toBeNull();
  });
});

describe('openStore', () => {
  it('refuses a second owner with one clear line', () => {
    expect(() => openStore(join(dir, 'core.db'))).toThrow(/another arbstr core owns/);
  });

  it('knows the file by any name', () => {
    symlinkSync(join(dir, 'core.db'), join(dir, 'other-name.db'));
    expect(() => openStore(join(dir, 'other-name.db'))).toThrow(/another arbstr core owns/);
  });

  it('does not stop the process for a lock that somebody else holds', async () => {
    const other = new Database(join(dir, 'core.db'));
    other.exec('begin immediate');
    await expect(writer.durable(put('a'))).rejects.toThrow(/locked|busy/);
    other.exec('rollback');
    other.close();
    await expect.poll(() => writer.trouble, { timeout: 5_000 }).toBeNull();
  });

  it('refuses a newer database', () => {
    store.db.pragma('user_version = 99');
    store.close();
    expect(() => openStore(join(dir, 'core.db'))).toThrow(/newer arbstr/);
    store = openStore(join(dir, 'other.db'));
  });

  it('opens an existing file without harm', () => {
    store.close();
    store = openStore(join(dir, 'core.db'));
    expect(store.db.prepare('select count(*) as n from journal').get()).toEqual({ n: 0 });
  });
});
