/** How a score ranks prompts: the measures of RouteLLM (arXiv 2406.18665, §4.1). */
export interface Curve {
  /** Area under the recovered share of the quality gap; 0.5 = random. */
  readonly apgr: number;
  /** Share of calls to the strong model, in percent, that recovers 50 and 80 % of the gap. */
  readonly cpt50: number;
  readonly cpt80: number;
  /** Share of the gap that sending 10, 20 … 90 % of the calls to the strong model recovers. */
  readonly deciles: readonly number[];
}

/** `gaps[i]` is what the strong model gains on prompt i; equal scores share their mean gap. */
export function curveOf(scores: readonly number[], gaps: readonly number[]): Curve {
  const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const total = gaps.reduce((sum, gap) => sum + gap, 0);
  let recovered = 0;
  let area = 0;
  let cpt50 = 100;
  let cpt80 = 100;
  const deciles: number[] = [];
  for (let from = 0; from < order.length; ) {
    let to = from;
    let tied = 0;
    do tied += gaps[order[to++]!]!;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]);
    for (let i = from; i < to; i++) {
      const next = recovered + tied / (to - from) / total;
      area += (recovered + next) / 2 / order.length;
      recovered = next;
      const percent = (100 * (i + 1)) / order.length;
      while (deciles.length < 9 && percent >= 10 * (deciles.length + 1)) deciles.push(recovered);
      if (recovered >= 0.5 && cpt50 === 100) cpt50 = percent;
      if (recovered >= 0.8 && cpt80 === 100) cpt80 = percent;
    }
    from = to;
  }
  return { apgr: area, cpt50, cpt80, deciles };
}
