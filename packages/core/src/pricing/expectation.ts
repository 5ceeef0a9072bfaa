/**
 * How many output tokens a model is expected to produce: a moving average of what it did before.
 * Only ranks candidates; what is held is the ceiling, what is billed is the usage.
 */
export interface Expectations {
  of(model: string): number;
  observe(model: string, outputTokens: number): void;
}

/** Until a model has answered once. */
const FIRST_GUESS_TOKENS = 256;
/** Weight of the newest answer. */
const ALPHA = 0.1;
const MODELS_MAX = 2_000;

export function createExpectations(): Expectations {
  const averages = new Map<string, number>();
  return {
    of: (model) => Math.ceil(averages.get(model) ?? FIRST_GUESS_TOKENS),
    observe(model, outputTokens) {
      const before = averages.get(model);
      if (before === undefined && averages.size >= MODELS_MAX) return;
      averages.set(
        model,
        before === undefined ? outputTokens : before + ALPHA * (outputTokens - before),
      );
    },
  };
}
