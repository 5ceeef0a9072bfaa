import { expect, it } from 'vitest';
import { COMPLETIONS } from '../../src/dialect/completions.ts';

it('makes a stream of a whole answer, without what is no choice in it', () => {
  const answer = { id: 'c', choices: [null, { index: 0, text: 'Wide' }, 'x'], usage: { a: 1 } };
  const events = COMPLETIONS.streamOfWhole(answer)!.toString().split('\n\n');
  expect(events.slice(0, 2).map((event) => JSON.parse(event.slice('data: '.length)))).toEqual([
    { id: 'c', choices: [{ index: 0, text: 'Wide', finish_reason: 'stop' }] },
    { id: 'c', choices: [], usage: { a: 1 } },
  ]);
  expect(events.slice(2)).toEqual(['data: [DONE]', '']);
});
