/** The figures as the page that is kept in docs/, with the plots. */
import { STRATEGIES } from '../../packages/core/src/config/types.ts';
import { formatSats, msat } from '../../packages/shared/src/msat.ts';
import {
  type CheapestCosts,
  cheapestCosts,
  costsOf,
  type ModelCosts,
  medianOf,
  type Stream,
  saved,
  sellerCosts,
  sum,
  tierCosts,
} from './compare.ts';
import { configOfFeeds, FEED_KINDS } from './feeds.ts';
import { type Bar, percent, svgPlot, textPlot } from './plot.ts';
import {
  AUTO,
  configOf,
  type PriceTable,
  readTable,
  SATS_PER_USD,
  sellersIn,
} from './price-table.ts';
import { KINDS, requestsOf } from './requests.ts';

export interface Page {
  readonly markdown: string;
  readonly svg: string;
}

export function savingsPage(seed: number): Page {
  const table = readTable();
  const requests = requestsOf(seed);
  const stream: Stream = { config: configOf(table), requests, seed };
  const both = table.models.map(({ model }) => costsOf(stream, model));
  const costs = both.map(({ cold }) => cold);
  const warm = both.map(({ warm }) => warm);
  const bars = costs.map(barOf).toSorted((a, b) => a.cheapest - b.cheapest);
  const title = `What is left of the mean seller's bill (list prices of ${table.date})`;
  const sections = [
    headText(table, costs, requests.length),
    `\`\`\`text\n${textPlot(bars)}\n\`\`\`\n\nEach row is the mean seller's bill; █ is what the cheapest seller of each request asks, \`2\` the second-cheapest seller alone, \`m\` the median one. The same [as a picture](savings.svg).`,
    modelsText(costs),
    amountsText(costs),
    strategiesText(costs, warm),
    sellersText(costs, table.models.length),
    feedsText(table, stream, costs),
    kindsText(stream, costs),
    tiersText(stream, costs),
    limitsText(table, costs),
    `## Reproduce\n\n    npx pnpm@12 exec node examples/savings/main.ts              # this page, on the terminal\n    npx pnpm@12 exec node examples/savings/main.ts --seed 2     # another stream\n    npx pnpm@12 exec node examples/savings/main.ts --write      # docs/savings.md and docs/savings.svg; then npx pnpm@12 run fix`,
  ];
  return { markdown: `${sections.join('\n\n')}\n`, svg: svgPlot(title, bars) };
}

const second = ({ sellers }: CheapestCosts): number => sellers[1]!.cost;
const cheapest = ({ byStrategy }: CheapestCosts): number => byStrategy.cheapest;

const barOf = (costs: ModelCosts): Bar => ({
  label: costs.model,
  cheapest: cheapest(costs) / costs.mean,
  second: second(costs) / costs.mean,
  median: costs.median / costs.mean,
});

/** Median over the models of what `cheapest` saves against something. */
const usuallySaved = (
  costs: readonly CheapestCosts[],
  against: (costs: CheapestCosts) => number,
): string => percent(medianOf(costs.map((model) => saved(cheapest(model), against(model)))));

const rangeOf = (costs: readonly ModelCosts[], against: (costs: ModelCosts) => number): string => {
  const all = costs.map((model) => saved(cheapest(model), against(model)));
  return `${percent(Math.min(...all))} to ${percent(Math.max(...all))}`;
};

const total = <C>(costs: readonly C[], of: (costs: C) => number): number => sum(costs.map(of));

function headText(table: PriceTable, costs: readonly ModelCosts[], requests: number): string {
  const offers = sum(table.models.map(({ offers }) => offers.length));
  return `# What routing by price saves

The same ${requests} requests are sent to each of ${table.models.length} open models through core's own routing code (\`route/route.ts\` and all below it), at the list prices of ${sellersIn(table).length} sellers (${offers} offers). Nobody fails, and every seller answers with the same number of tokens.

**For the model in the middle, the cheapest seller of each request costs ${usuallySaved(costs, ({ mean }) => mean)} less than the mean seller, ${usuallySaved(costs, ({ median }) => median)} less than the median seller, and ${usuallySaved(costs, second)} less than the second-cheapest one.** Over the models these are ${rangeOf(costs, ({ mean }) => mean)}, ${rangeOf(costs, ({ median }) => median)}, and ${rangeOf(costs, second)}. The claim to hold that against is 20 to 30 % by price alone: it holds against the mean and the median seller for most models, and does not against somebody who has already found the cheapest one.`;
}

function modelsText(costs: readonly ModelCosts[]): string {
  const rows = costs.map((model) => {
    const [first] = model.sellers;
    const against = [model.mean, model.median, second(model), model.sellers.at(-1)!.cost];
    return `| ${model.model} | ${model.sellers.length} | ${first!.name} | ${sats(cheapest(model))} | ${against.map((cost) => percent(saved(cheapest(model), cost))).join(' | ')} |`;
  });
  return `## Per model

Strategy \`cheapest\`, and what it saves against each seller who would have got all requests.

| model | sellers | cheapest alone | cost, sats | of the mean | of the median | of the second-cheapest | of the dearest |
|---|---:|---|---:|---:|---:|---:|---:|
${rows.join('\n')}`;
}

function amountsText(costs: readonly ModelCosts[]): string {
  const rows = costs.map((model) => {
    const amounts = [
      ...STRATEGIES.map((strategy) => model.byStrategy[strategy]),
      model.median,
      model.mean,
    ];
    const sellers = model.sellers.map(({ name, cost }) => `${name} ${sats(cost)}`);
    return `| ${model.model} | ${amounts.map(sats).join(' | ')} | ${sellers.join(', ')} |`;
  });
  return `In sats, by strategy, and for each seller who would have got all requests:

| model | ${STRATEGIES.map((strategy) => `\`${strategy}\``).join(' | ')} | median | mean | each seller alone |
|---|---:|---:|---:|---:|---:|---:|---|
${rows.join('\n')}`;
}

function strategiesText(costs: readonly ModelCosts[], warm: readonly ModelCosts[]): string {
  const row = (name: string, of: (costs: ModelCosts) => number): string => {
    const share = medianOf(costs.map((model) => saved(cheapest(model), of(model))));
    return `| ${name} | ${sats(total(costs, of))} | ${percent(share)} | ${sats(total(warm, of))} |`;
  };
  const rows = [
    ...STRATEGIES.map((strategy) =>
      row(`\`${strategy}\``, ({ byStrategy }) => byStrategy[strategy]),
    ),
    row('cheapest by hindsight', ({ hindsight }) => hindsight),
    row('cheapest seller alone', ({ sellers }) => sellers[0]!.cost),
    row('second-cheapest seller alone', second),
    row('median seller', ({ median }) => median),
    row('mean seller', ({ mean }) => mean),
    row('dearest seller alone', ({ sellers }) => sellers.at(-1)!.cost),
  ];
  const held = total(costs, ({ ceilings }) => ceilings) / total(costs, cheapest);
  return `## All models together, by strategy

Sums over all models are led by the dear ones; the share is that of the model in the middle. Times to the first token are made up for \`lowest_latency\`: each seller has one between 200 and 1,200 ms, and each answer is within 40 % of it. \`weighted\` has equal weights. In the last column, what a conversation repeats is billed at the cached rate of a seller that has one and answered the turn before; choosing does not count on it.

| who serves | sats | \`cheapest\` saves | with caches, sats |
|---|---:|---:|---:|
${rows.join('\n')}

What is held on the way, before each request, is ${held.toFixed(0)} times what it costs in the end: the worst case of whoever may be tried.`;
}

function sellersText(costs: readonly ModelCosts[], models: number): string {
  const rows = sellerCosts(costs).map(
    (seller) =>
      `| ${seller.name} | ${seller.models} | ${sats(seller.alone)} | ${sats(seller.cheapest)} | ${percent(saved(seller.cheapest, seller.alone))} |`,
  );
  return `## Each seller alone

Nobody sells all ${models} models, so each is held against \`cheapest\` on the models that it sells.

| seller | models | alone, sats | \`cheapest\` on these, sats | saved |
|---|---:|---:|---:|---:|
${rows.join('\n')}`;
}

function feedsText(table: PriceTable, stream: Stream, costs: readonly ModelCosts[]): string {
  const row = (name: string, all: readonly CheapestCosts[]): string => {
    const offers = sum(all.map(({ sellers }) => sellers.length));
    const shares = [
      usuallySaved(all, ({ mean }) => mean),
      usuallySaved(all, ({ median }) => median),
      usuallySaved(all, second),
    ];
    return `| ${name} | ${offers} | ${sats(total(all, cheapest))} | ${shares.join(' | ')} |`;
  };
  const rows = FEED_KINDS.map((kind) => {
    const config = configOfFeeds(table, stream.config, kind);
    return row(
      `\`${kind}\``,
      table.models.map(({ model }) => cheapestCosts({ ...stream, config }, model)),
    );
  });
  return `## By the sellers' own lists

The same prices as each seller's list of models would say them, read by core's own reader of feeds (\`feed/read-feed.ts\`, \`feed/offers.ts\`) and converted at its rate: numbers per token in sats as Routstr's nodes have them, decimal strings per token in USD as OpenRouter has them. Feeds lose nothing of the prices; what a node adds as its own fee would be in its list.

| prices from | offers | \`cheapest\`, sats | of the mean | of the median | of the second-cheapest |
|---|---:|---:|---:|---:|---:|
${row('the configuration', costs)}
${rows.join('\n')}`;
}

function kindsText({ requests }: Stream, costs: readonly ModelCosts[]): string {
  const rows = KINDS.map((kind) => {
    const own = requests.filter((replayed) => replayed.kind === kind);
    const input = medianOf(own.map(({ prompt }) => prompt.textTokens));
    const output = medianOf(own.map(({ outputTokens }) => outputTokens));
    const share = medianOf(
      costs.map(({ byKind }) => saved(byKind[kind].cheapest, byKind[kind].mean)),
    );
    return `| ${kind} | ${own.length} | ${Math.round(input)} | ${Math.round(output)} | ${percent(share)} |`;
  });
  return `## The requests

Made with a seed: filler around sentences that people send, in lengths that are our assumption. A chat carries its history along. What is saved differs little by kind, so that another mix would say nearly the same.

| kind | requests | prompt tokens, median | answer tokens, median | saved of the mean seller |
|---|---:|---:|---:|---:|
${rows.join('\n')}`;
}

function tiersText(stream: Stream, costs: readonly ModelCosts[]): string {
  const frontier = costs.filter(({ model }) => AUTO.frontier.includes(model));
  const tiers = tierCosts(stream, frontier);
  const served = ['local', 'standard', 'frontier'].map(
    (tier) => `${tiers.served[tier] ?? 0} ${tier}`,
  );
  return `## Tiers, on top

The same requests to a virtual model of ${Object.values(AUTO).flat().length} of the models in three tiers: complexity sends ${served.join(', ')}, for ${sats(tiers.auto)} sats, ${percent(saved(tiers.auto, tiers.frontier))} less than the cheapest frontier seller for everything. That is no saving by price alone: the answers come from other models, and how good they are is not measured here.`;
}

function limitsText(table: PriceTable, costs: readonly ModelCosts[]): string {
  const [best] = sellerCosts(costs);
  const stale = costs.filter((model) => saved(cheapest(model), second(model)) > 0.5);
  const others = costs.filter((model) => !stale.includes(model));
  return `## What this does not say

- Prices: ${table.source}; snapshot of ${table.date}. ${table.caveats.join(' ')}
- More than half below the second-cheapest seller, so probably stale or another product: ${stale.map(({ model, sellers }) => `${model} at ${sellers[0]!.name}`).join(', ')}. Without them the model in the middle saves ${usuallySaved(others, ({ mean }) => mean)} of the mean seller, ${usuallySaved(others, ({ median }) => median)} of the median one and ${usuallySaved(others, second)} of the second-cheapest.
- ${best!.name} alone, which sells ${best!.models} of the models, costs ${percent(best!.alone / best!.cheapest - 1)} more than \`cheapest\`. Whoever had picked it beforehand would save little more by routing, but for what happens when it fails, is full, or raises its prices.
- Context windows and speeds are not in the table, so nobody is left out for them. One model's sellers may run it in different precisions; a policy's \`allowed_providers\` is for those whose answers you do not want.
- Converted at ${SATS_PER_USD} sats per USD, a round number: the shares are the same at any other, but for the rounding of each bill up to a msat.`;
}

const sats = (cost: number): string => {
  const [whole, decimals = ''] = formatSats(msat(Math.round(cost))).split('.');
  return `${Number(whole).toLocaleString('en-US')}.${decimals.padEnd(1, '0').slice(0, 1)}`;
};
