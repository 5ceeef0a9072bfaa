import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { pruneRegularly } from '../../src/store/pruning.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('goes on at once while there is more, and rests for a minute when there is not', () => {
  const step = vi.fn<() => boolean>().mockReturnValue(true);
  const stop = pruneRegularly(step, () => {});
  vi.advanceTimersByTime(60_000);
  expect(step).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(10_000);
  expect(step).toHaveBeenCalledTimes(41);
  step.mockReturnValue(false);
  vi.advanceTimersByTime(59_000);
  expect(step).toHaveBeenCalledTimes(42);
  stop();
  vi.advanceTimersByTime(600_000);
  expect(step).toHaveBeenCalledTimes(42);
});

it('says what failed, and tries again in a minute', () => {
  const failed = vi.fn();
  const stop = pruneRegularly(() => {
    throw new Error('disk');
  }, failed);
  vi.advanceTimersByTime(120_000);
  expect(failed).toHaveBeenCalledTimes(2);
  stop();
});
