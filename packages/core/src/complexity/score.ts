/**
 * The complexity score of a request, 0…1: how much a better model would gain over a cheap one.
 *
 * Three parts are added on one scale and squeezed into 0…1: what the last user turn says (weights
 * learned from labelled prompts), what a short turn inherits from those before it, and what the
 * request's structure asks for (`structure.ts`). Pure and bounded: EARLIER_TURNS + 1 samples are
 * read and MESSAGES_READ messages visited, whatever was sent.
 *
 * How it was calibrated, what it reaches and where its limits are: docs/complexity.md.
 */
import type { ApiRequest } from '../openai/api-request.ts';
import { LEARNED } from './calibrated.ts';
import { conversationOf } from './conversation.ts';
import { textFeatures } from './features.ts';
import { expectedGain } from './model.ts';
import { structurePoints } from './structure.ts';
import { type ComplexityWeights, DEFAULT_WEIGHTS } from './weights.ts';

export type { ComplexityWeights } from './weights.ts';

/** The weights that leave the calibration as it is, and the scores that part the tiers. */
export const CALIBRATED: {
  readonly weights: ComplexityWeights;
  /** A score below it needs no more than `local`. */
  readonly thresholdLow: number;
  /** A score above it needs `frontier`; what lies between the two needs `standard`. */
  readonly thresholdHigh: number;
} = Object.freeze({
  weights: DEFAULT_WEIGHTS,
  thresholdLow: LEARNED.thresholdLow,
  thresholdHigh: LEARNED.thresholdHigh,
});

/** A turn of this many characters or more stands for itself. */
const INHERITS_BELOW_CHARS = 160;
/** What the shortest turn ("go on") takes from a harder one before it. */
const INHERITED_SHARE = 0.7;

/** Deterministic; never throws for a request that was parsed, nor for one of empty texts. */
export function scoreComplexity(
  request: ApiRequest,
  weights: ComplexityWeights = DEFAULT_WEIGHTS,
): number {
  const conversation = conversationOf(request.messages);
  const { turn, earlier } = conversation;
  let points = textPoints(turn, weights);
  if (turn.length < INHERITS_BELOW_CHARS) {
    const share = INHERITED_SHARE * (1 - turn.length / INHERITS_BELOW_CHARS);
    const hardest = earlier.reduce(
      (most, text) => Math.max(most, textPoints(text, weights)),
      points,
    );
    points += weights.conversation * share * (hardest - points);
  }
  points += structurePoints(request, conversation, weights);
  return 1 / (1 + Math.exp(-points));
}

/** What a text's words and shape are worth by themselves; 0 is the middle of realistic traffic. */
export function textPoints(text: string, weights: ComplexityWeights): number {
  return LEARNED.offset + LEARNED.slope * expectedGain(LEARNED.model, textFeatures(text), weights);
}
