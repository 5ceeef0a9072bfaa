/** What the process that chooses routes is told to do, and what it found. */

export const CHOOSERS = [
  'cheapest',
  'lowest_latency',
  'round_robin',
  'weighted',
  'virtual',
  'scan',
] as const;
/** A strategy over the sellers of one model, a virtual model, or the least that choosing can be. */
export type Chooser = (typeof CHOOSERS)[number];

export type RouteJob =
  | { readonly on: Chooser; readonly measureMs: number }
  /** What a choice allocates, before and after so many choices with their observations. */
  | { readonly on: 'allocation'; readonly choices: number };

export interface SpeedFindings {
  /** CPU time of the process per choice, µs: collecting its garbage is in it, waiting for a core is not. */
  readonly cpuUs: number;
}

export interface AllocationFindings {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Heap that is still in use after the choices, beyond what was before them. */
  readonly keptBytes: number;
}
