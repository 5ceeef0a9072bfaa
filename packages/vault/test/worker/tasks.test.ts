import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Tasks } from '../../src/worker/tasks.ts';
import { TestClock } from '../support/vault.ts';

test('what hangs whenever it is tried leaves places for what is new', async () => {
  const clock = new TestClock();
  const log = pino({ level: 'silent' });
  const tasks = new Tasks({ what: 'payment', time: clock, log, timing: { callMs: 60_000 } });
  const hanging = Array.from({ length: 1_000 }, (_, nth) => `hanging-${nth}`);
  const begin = (work: () => Promise<string | null>) =>
    hanging.filter((id) => tasks.isDue(id) && tasks.begin(id, work) !== undefined).length;
  // Each is tried once and has no end.
  let tried = 0;
  while (tried < hanging.length) {
    tried += begin(async () => 'no answer in time');
    await tasks.idle();
  }
  clock.advance(1_000);
  const silence = Promise.withResolvers<null>();
  expect(begin(() => silence.promise)).toBeGreaterThan(0);
  const fresh = tasks.begin('fresh', async () => null);
  expect(fresh).toBeDefined();
  await fresh;
  silence.resolve(null);
  await tasks.idle();
});
