import { expect, it } from 'vitest';
import {
  BYTES_MAX,
  createMemory,
  ITEM_BYTES,
  KEPT_MS,
  OWNER_BYTES_MAX,
} from '../../src/recall/memory.ts';

function setup() {
  const clock = { ms: 1_000 };
  return { clock, memory: createMemory(() => clock.ms) };
}
/** An item that takes `bytes`, by the memory's own count. */
const itemOf = (bytes: number) => ({
  text: 'x'.repeat((bytes - ITEM_BYTES) / 2 - '{"text":""}'.length),
});

it('is of one owner alone', () => {
  const { memory } = setup();
  memory.remember('ag_1', 'msg_a', { text: 'Hi' });
  expect(memory.recall('ag_1', 'msg_a')).toBe('{"text":"Hi"}');
  expect(memory.recall('ag_2', 'msg_a')).toBeNull();
  expect(memory.recall('ag_1', 'msg_b')).toBeNull();
});

it('keeps for an hour what is used, and forgets the rest', () => {
  const { memory, clock } = setup();
  memory.remember('ag_1', 'used', {});
  memory.remember('ag_1', 'unused', {});
  clock.ms += KEPT_MS - 1;
  expect(memory.recall('ag_1', 'used')).toBe('{}');
  clock.ms += 1;
  expect(memory.recall('ag_1', 'unused')).toBeNull();
  clock.ms += KEPT_MS - 2;
  expect(memory.recall('ag_1', 'used')).toBe('{}');
});

it('lets go of what is over though nobody asks for it', () => {
  const { memory, clock } = setup();
  memory.remember('ag_1', 'old', {});
  clock.ms += KEPT_MS / 2;
  memory.remember('ag_1', 'new', {});
  clock.ms += KEPT_MS / 2;
  memory.prune();
  // Were it only hidden, a clock that is set back would show it again.
  clock.ms -= KEPT_MS / 2;
  expect(memory.recall('ag_1', 'old')).toBeNull();
  expect(memory.recall('ag_1', 'new')).toBe('{}');
});

it('of one owner drops what was used longest ago, and nothing of others', () => {
  const { memory } = setup();
  memory.remember('ag_2', 'other', {});
  for (const id of ['a', 'b', 'c', 'd']) memory.remember('ag_1', id, itemOf(OWNER_BYTES_MAX / 4));
  memory.recall('ag_1', 'a');
  memory.remember('ag_1', 'e', itemOf(OWNER_BYTES_MAX / 4));
  const left = ['a', 'b', 'c', 'd', 'e'].filter((id) => memory.recall('ag_1', id) !== null);
  expect(left).toEqual(['a', 'c', 'd', 'e']);
  expect(memory.recall('ag_2', 'other')).toBe('{}');
});

it('of all owners drops what was used longest ago', () => {
  const { memory } = setup();
  const owners = BYTES_MAX / OWNER_BYTES_MAX;
  for (let nth = 0; nth < owners; nth++) {
    memory.remember(`ag_${nth}`, 'a', itemOf(OWNER_BYTES_MAX));
  }
  expect(memory.recall('ag_0', 'a')).not.toBeNull();
  memory.remember('ag_new', 'a', {});
  expect(memory.recall('ag_0', 'a')).not.toBeNull();
  expect(memory.recall('ag_1', 'a')).toBeNull();
  expect(memory.recall('ag_2', 'a')).not.toBeNull();
});

it('counts many small items for more than their text', () => {
  const { memory } = setup();
  const fit = Math.floor(OWNER_BYTES_MAX / (ITEM_BYTES + 4));
  for (let nth = 0; nth <= fit; nth++) memory.remember('ag_1', `i${nth}`, {});
  expect(memory.recall('ag_1', 'i0')).toBeNull();
  expect(memory.recall('ag_1', 'i1')).toBe('{}');
});

it('does not give up everything for one item that is too large', () => {
  const { memory } = setup();
  memory.remember('ag_1', 'small', {});
  memory.remember('ag_1', 'large', itemOf(OWNER_BYTES_MAX + 2));
  expect(memory.recall('ag_1', 'large')).toBeNull();
  expect(memory.recall('ag_1', 'small')).toBe('{}');
});
