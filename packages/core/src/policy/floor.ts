/** The lowest tier that may serve a request. Pure. */
import { type PolicyRule, type RoutingConfig, TIERS, type Tier } from '../config/types.ts';
import { type Refusal, refuse } from '../errors.ts';

/** What a caller may say of its own request (`X-Arbstr-Complexity`). */
export const COMPLEXITIES = { low: 'local', medium: 'standard', high: 'frontier' } as const;
export type Complexity = keyof typeof COMPLEXITIES;

export function readComplexity(given: string | null): Complexity | null | Refusal {
  if (given === null) return null;
  const complexity = given.trim().toLowerCase();
  if (Object.hasOwn(COMPLEXITIES, complexity)) return complexity as Complexity;
  return refuse('invalid_request', 'X-Arbstr-Complexity must be low, medium or high.', {
    param: 'X-Arbstr-Complexity',
  });
}

export interface FloorInput {
  readonly complexity: Complexity | null;
  readonly score: number;
  readonly isVirtual: boolean;
  readonly rule: PolicyRule | null;
  readonly routing: RoutingConfig;
}

/** null = any tier may serve. What is asked for explicitly always binds; the score where it may. */
export function floorOf({ complexity, score, isVirtual, rule, routing }: FloorInput): Tier | null {
  const asked = complexity === null ? null : COMPLEXITIES[complexity];
  const scored = isVirtual || routing.floorConcreteModels ? tierOfScore(score, routing) : null;
  return higher(asked ?? scored, rule?.minTier ?? null);
}

export function tierOfScore(score: number, { thresholdLow, thresholdHigh }: RoutingConfig): Tier {
  if (score < thresholdLow) return 'local';
  return score > thresholdHigh ? 'frontier' : 'standard';
}

export const rankOfTier = (tier: Tier): number => TIERS.indexOf(tier);

function higher(a: Tier | null, b: Tier | null): Tier | null {
  if (a === null || b === null) return a ?? b;
  return rankOfTier(a) >= rankOfTier(b) ? a : b;
}
