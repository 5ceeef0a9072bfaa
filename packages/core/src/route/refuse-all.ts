/** What the caller hears when every candidate has failed. It was charged nothing. Pure. */
import { type Refusal, refuse } from '../errors.ts';
import { FAILURES, type Failure, type FailureRule } from './failure.ts';

export interface Failed {
  readonly provider: string;
  readonly failure: Failure;
}

export function refuseAll(model: string, failed: readonly Failed[]): Refusal {
  const name = JSON.stringify(model);
  if (failed.length === 0) {
    return refuse(
      'overloaded',
      `Every provider of ${name} became busy or paused. Try again shortly.`,
    );
  }
  const rules: readonly FailureRule[] = failed.map(({ failure }) => FAILURES[failure.kind]);
  const words = wordsOf(failed);
  if (failed.every(isLimit)) {
    return refuse(
      'rate_limited',
      `Every provider of ${name} is rate limited. Nothing was charged.`,
      { retryAfterSecs: shortestWaitSecs(failed) },
    );
  }
  if (rules.every(({ code }) => code === 'provider_timeout')) {
    return refuse(
      'provider_timeout',
      `No provider of ${name} answered in time (${words}). Nothing was charged.`,
    );
  }
  return refuse(
    'provider_error',
    `Every provider of ${name} failed (${words}). Nothing was charged.`,
    { shouldRetry: rules.every(({ shouldRetry }) => shouldRetry) },
  );
}

/** One model's overload may come as a 429, too. */
const isLimit = ({ failure }: Failed): boolean =>
  FAILURES[failure.kind].code === 'rate_limited' || failure.status === 429;

/** Each provider's last words: a second round says the same again. */
function wordsOf(failed: readonly Failed[]): string {
  const last = new Map(failed.map(({ provider, failure }) => [provider, failure.message]));
  return [...last].map(([provider, message]) => `${provider}: ${message}`).join('; ');
}

function shortestWaitSecs(failed: readonly Failed[]): number {
  const waits = failed.flatMap(({ failure }) => failure.retryAfterMs ?? []);
  return waits.length === 0 ? 1 : Math.max(1, Math.ceil(Math.min(...waits) / 1000));
}
