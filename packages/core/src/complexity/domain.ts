/**
 * What a multiple choice is about, told by its words, and how much a better model gains there. Each
 * bucket of hashed words has a vector; their sum says how likely each subject is (as fastText does).
 */
export interface Domain {
  readonly dimensions: number;
  /** Per bucket; in units of `vectorScale`. */
  readonly vectors: Int8Array;
  readonly vectorScale: number;
  /** Per subject: its vector, its bias, and its gain relative to the mean of all. */
  readonly subjects: Float32Array;
}

/** Mean gain over the subjects, by how likely each is. */
export function domainGain(domain: Domain, buckets: Uint16Array, bucketCount: number): number {
  const { dimensions, vectors, vectorScale, subjects } = domain;
  const sum = new Float64Array(dimensions);
  for (let i = 0; i < bucketCount; i++) {
    const from = buckets[i]! * dimensions;
    for (let d = 0; d < dimensions; d++) sum[d]! += vectors[from + d]!;
  }
  const scale = vectorScale / Math.sqrt(Math.max(1, bucketCount));
  let gain = 0;
  let total = 0;
  for (let from = 0; from < subjects.length; from += dimensions + 2) {
    let logit = subjects[from + dimensions]!;
    for (let d = 0; d < dimensions; d++) logit += subjects[from + d]! * sum[d]! * scale;
    // Bounded, so that no text can make it overflow.
    const likely = Math.exp(Math.max(-60, Math.min(60, logit)));
    gain += likely * subjects[from + dimensions + 1]!;
    total += likely;
  }
  // Without subjects nothing is known.
  return total === 0 ? 0 : gain / total;
}
