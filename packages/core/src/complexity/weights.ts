import { FEATURE_GROUPS, type FeatureGroup } from './measures.ts';

/** Multiplier of each group of features: 1 = as calibrated, 0 = without it. */
export type ComplexityWeights = Readonly<Record<FeatureGroup, number>>;

/** As calibrated. */
export const DEFAULT_WEIGHTS = Object.freeze(
  Object.fromEntries(FEATURE_GROUPS.map((group) => [group, 1])),
) as ComplexityWeights;
