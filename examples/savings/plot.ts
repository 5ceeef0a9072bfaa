/** The plot of the page: what is left to pay of the mean seller's bill, per model. As text and as SVG. */
export interface Bar {
  readonly label: string;
  /** Shares of what the mean seller costs. */
  readonly cheapest: number;
  readonly second: number;
  readonly median: number;
}

/** Characters that stand for the mean seller's whole bill. */
const TEXT_WIDTH = 50;

/** `█` cheapest of each request, `2` the second-cheapest seller, `m` the median one; the right edge is the mean. */
export function textPlot(bars: readonly Bar[]): string {
  const labelWidth = Math.max(...bars.map(({ label }) => label.length));
  return bars
    .map(({ label, cheapest, second, median }) => {
      const cells = Array.from({ length: TEXT_WIDTH }, (_, at): string =>
        at < Math.round(cheapest * TEXT_WIDTH) ? '█' : '·',
      );
      const mark = (share: number, sign: string): void => {
        cells[Math.min(TEXT_WIDTH, Math.max(1, Math.round(share * TEXT_WIDTH))) - 1] = sign;
      };
      mark(median, 'm');
      mark(second, '2');
      return `${label.padEnd(labelWidth)}  ${cells.join('')}▏${percent(cheapest).padStart(5)}`;
    })
    .join('\n');
}

const ROW = 24;
const LEFT = 190;
const BAR = 480;
const TOP = 64;

export function svgPlot(title: string, bars: readonly Bar[]): string {
  const height = TOP + bars.length * ROW + 16;
  const x = (share: number): string => (LEFT + Math.min(1, share) * BAR).toFixed(1);
  const rows = bars.flatMap(({ label, cheapest, second, median }, nth) => {
    const y = TOP + nth * ROW;
    return [
      `<text x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${label}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${BAR}" height="16" fill="#e8e8e8"/>`,
      `<rect x="${LEFT}" y="${y}" width="${(Math.min(1, cheapest) * BAR).toFixed(1)}" height="16" fill="#f7931a"/>`,
      `<path d="M${x(second)} ${y - 2}v20" stroke="#b00" stroke-width="2"/>`,
      `<path d="M${x(median)} ${y - 2}v20" stroke="#036" stroke-width="2"/>`,
      `<text x="${LEFT + BAR + 8}" y="${y + 12}">${percent(cheapest)}</text>`,
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + BAR + 60}" height="${height}" font-family="sans-serif" font-size="13">
<title>${title}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="22" font-size="15">${title}</text>
<text x="12" y="44" font-size="12">bar: the cheapest seller of each request · <tspan fill="#b00">red: second-cheapest seller</tspan> · <tspan fill="#036">blue: median seller</tspan> · grey: mean seller</text>
${rows.join('\n')}
</svg>
`;
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;
