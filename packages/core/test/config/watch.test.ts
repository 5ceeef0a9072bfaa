import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ConfigWatch, watchConfig } from '../../src/config/watch.ts';

const POLL_MS = 1_000;

let disk: string | Error;
let taken: string[];
let unreadable: string[];
let watch: ConfigWatch;
let taking: () => Promise<void>;

beforeEach(() => {
  vi.useFakeTimers();
  disk = 'first';
  taken = [];
  unreadable = [];
  taking = async () => {};
  watch = watchConfig({
    path: 'config.toml',
    text: 'first',
    async onChange({ text }) {
      await taking();
      taken.push(text);
    },
    onUnreadable: (reason) => void unreadable.push(reason),
    read() {
      if (disk instanceof Error) throw disk;
      return { text: disk, mode: 0o600 };
    },
    pollMs: POLL_MS,
  });
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

const polls = (count: number) => vi.advanceTimersByTimeAsync(count * POLL_MS);

describe('a changed file', () => {
  it('is taken once, when it was read twice alike', async () => {
    disk = 'second';
    await polls(1);
    expect(taken).toEqual([]);
    await polls(5);
    expect(taken).toEqual(['second']);
  });

  it('that is still being written is not taken half', async () => {
    for (const part of ['s', 'se', 'sec']) {
      disk = part;
      await polls(1);
    }
    disk = 'second';
    await polls(2);
    expect(taken).toEqual(['second']);
  });

  it('that changes back before it was taken is no news', async () => {
    disk = 'second';
    await polls(1);
    disk = 'first';
    await polls(1);
    disk = 'second';
    await polls(1);
    expect(taken).toEqual([]);
  });

  it('is taken after the one before, however long that takes', async () => {
    let release = (): void => {};
    taking = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    disk = 'second';
    await polls(2);
    disk = 'third';
    taking = async () => {};
    await polls(2);
    expect(taken).toEqual([]);
    release();
    await polls(0);
    expect(taken).toEqual(['second', 'third']);
  });
});

describe('a file that cannot be read', () => {
  it('is said once per reason, and taken when it can', async () => {
    disk = new Error('gone');
    await polls(5);
    expect(unreadable).toEqual(['gone']);
    disk = new Error('locked');
    await polls(5);
    expect(unreadable).toEqual(['gone', 'locked']);
    // Also where it is what it was: what was refused is withdrawn by that.
    disk = 'first';
    await polls(2);
    expect(taken).toEqual(['first']);
  });

  it('because it was emptied is not a configuration without providers', async () => {
    disk = ' \n';
    await polls(2);
    expect(taken).toEqual([]);
    expect(unreadable[0]).toContain('the file is empty');
  });
});

describe('asked to', () => {
  it('reads at once, changed or not', async () => {
    await watch.reload();
    disk = 'second';
    await watch.reload();
    expect(taken).toEqual(['first', 'second']);
    await polls(3);
    expect(taken).toHaveLength(2);
  });

  it('says that there is nothing to read', async () => {
    disk = new Error('gone');
    await watch.reload();
    expect(unreadable).toEqual(['gone']);
  });
});

it('ends', async () => {
  watch.stop();
  disk = 'second';
  await polls(5);
  await watch.reload();
  expect(taken).toEqual([]);
});
