/** Where the scale of the score lies: its middle, its slope, and the thresholds between the tiers. */
import type { Example } from './examples.ts';

export interface Scale {
  readonly offset: number;
  readonly slope: number;
  readonly thresholdLow: number;
  readonly thresholdHigh: number;
}

/** Spread of the points: the standard deviation over the traffic is about this many. */
const SPREAD = 1.2;
const SHARE_LOCAL = 0.4;
const SHARE_BELOW_FRONTIER = 0.75;

/** By the traffic's gains, each as expected by a fit that has not seen it. */
export function anchored(examples: readonly Example[], unseen: readonly number[]): Scale {
  const traffic = unseen.filter((_, i) => examples[i]!.source === 'traffic');
  const mean = traffic.reduce((sum, value) => sum + value, 0) / traffic.length;
  const variance = traffic.reduce((sum, value) => sum + (value - mean) ** 2, 0) / traffic.length;
  const slope = SPREAD / Math.sqrt(variance);
  const points = traffic.map((value) => slope * (value - mean)).sort((a, b) => a - b);
  const at = (share: number): number =>
    Number((1 / (1 + Math.exp(-points[Math.floor(share * points.length)]!))).toFixed(3));
  return {
    offset: Number((-slope * mean).toFixed(4)),
    slope: Number(slope.toFixed(4)),
    thresholdLow: at(SHARE_LOCAL),
    thresholdHigh: at(SHARE_BELOW_FRONTIER),
  };
}
