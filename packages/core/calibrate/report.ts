/** How the score spreads, and which tiers requests of several kinds and languages get. */
import type { Example } from './examples.ts';
import type { Scale } from './scale.ts';

/** `gains` are those expected by fits that have not seen the example. */
export function printShares(
  examples: readonly Example[],
  gains: readonly number[],
  scale: Scale,
): void {
  const { offset, slope, thresholdLow, thresholdHigh } = scale;
  const scores = gains.map((gain) => 1 / (1 + Math.exp(-offset - slope * gain)));
  const row = (title: string, of: readonly number[]): void => {
    const sorted = [...of].sort((a, b) => a - b);
    const quantiles = [0.05, 0.25, 0.5, 0.75, 0.95].map((share) =>
      sorted[Math.floor(share * sorted.length)]!.toFixed(2),
    );
    const local = of.filter((score) => score < thresholdLow).length;
    const frontier = of.filter((score) => score > thresholdHigh).length;
    const shares = [local, of.length - local - frontier, frontier].map((count) =>
      `${Math.round((100 * count) / of.length)} %`.padStart(5),
    );
    const cells = [title.padEnd(21), String(of.length).padStart(5), ...shares, ...quantiles];
    process.stdout.write(`| ${cells.join(' | ')} |\n`);
  };
  process.stdout.write(
    `\nthresholds ${thresholdLow} and ${thresholdHigh}; each share, and five quantiles of the score\n`,
  );
  for (const group of [
    ({ source }: Example) => source,
    ({ source, subject }: Example) => (source === 'traffic' ? subject : null),
    ({ source, language }: Example) => (source === 'traffic' ? language : null),
  ]) {
    const names = examples.map(group);
    for (const name of new Set(names)) {
      if (name !== null)
        row(
          name,
          scores.filter((_, i) => names[i] === name),
        );
    }
  }
  process.stdout.write('\n');
}
