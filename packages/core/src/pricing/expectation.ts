/**
 * How many output tokens a model is expected to produce: a moving average of what it did before.
 * Only ranks candidates; what is held is the ceiling, what is billed is the usage.
 */
export interface Expectations {
  /** Per choice; what the model did under this policy, else what it did at all. */
  of(model: string, policy: string | null): number;
  observe(model: string, policy: string | null, outputTokens: number): void;
}

/** Until a model has answered once. */
const FIRST_GUESS_TOKENS = 256;
/** Weight of the newest answer. */
const ALPHA = 0.1;
const NAMES_MAX = 10_000;

/** No model's name has a line break in it that a policy's name could be mistaken for. */
const under = (model: string, policy: string | null): string =>
  policy === null ? model : `${policy}\n${model}`;

export function createExpectations(): Expectations {
  const averages = new Map<string, number>();
  function observeAt(name: string, outputTokens: number): void {
    const before = averages.get(name);
    if (before === undefined && averages.size >= NAMES_MAX) return;
    averages.set(
      name,
      before === undefined ? outputTokens : before + ALPHA * (outputTokens - before),
    );
  }

  return {
    of: (model, policy) =>
      Math.ceil(averages.get(under(model, policy)) ?? averages.get(model) ?? FIRST_GUESS_TOKENS),
    observe(model, policy, outputTokens) {
      observeAt(model, outputTokens);
      if (policy !== null) observeAt(under(model, policy), outputTokens);
    },
  };
}
