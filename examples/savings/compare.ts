/** What the same stream costs by each strategy and at each seller alone. */
import type { Config, Offer } from '../../packages/core/src/config/types.ts';
import { STRATEGIES, type Strategy } from '../../packages/core/src/config/types.ts';
import { sellersOf } from '../../packages/core/src/route/sellers.ts';
import { costAt, replay, type Served } from './replay.ts';
import { KINDS, type Kind, type Replayed } from './requests.ts';

/** Sums over the stream, msat. */
export interface CheapestCosts {
  readonly byStrategy: { readonly cheapest: number };
  /** Everything at one seller, cheapest first. */
  readonly sellers: readonly { readonly name: string; readonly cost: number }[];
  readonly mean: number;
  readonly median: number;
}

export interface ModelCosts extends CheapestCosts {
  readonly model: string;
  readonly byStrategy: Readonly<Record<Strategy, number>>;
  readonly byKind: Readonly<Record<Kind, { readonly cheapest: number; readonly mean: number }>>;
  /** The cheapest seller of each request, known only afterwards. */
  readonly hindsight: number;
  /** Held on the way, strategy `cheapest`. */
  readonly ceilings: number;
}

export interface Stream {
  readonly config: Config;
  readonly requests: readonly Replayed[];
  readonly seed: number;
}

/** Without caches, and where each seller has what it may cache. */
export function costsOf(stream: Stream, model: string): { cold: ModelCosts; warm: ModelCosts } {
  const served = Object.fromEntries(
    STRATEGIES.map((strategy) => [strategy, replay({ ...stream, model, strategy })]),
  ) as Record<Strategy, Served[]>;
  return {
    cold: compare({ ...stream, caches: false }, model, served),
    warm: compare({ ...stream, caches: true }, model, served),
  };
}

/** Of strategy `cheapest` alone, without caches. */
export function cheapestCosts(stream: Stream, model: string): CheapestCosts {
  const served = replay({ ...stream, model, strategy: 'cheapest' });
  return {
    byStrategy: { cheapest: sum(served.map(({ costMsat }) => costMsat)) },
    ...sellersAlone({ ...stream, caches: false }, model),
  };
}

interface Compared extends Stream {
  readonly caches: boolean;
}

function compare(stream: Compared, model: string, served: Record<Strategy, Served[]>): ModelCosts {
  const costOf = ({ costMsat, cachedCostMsat }: Served): number =>
    stream.caches ? cachedCostMsat : costMsat;
  const offers = sellersOf(stream.config.providers).get(model) ?? [];
  return {
    model,
    byStrategy: mapValues(served, (all) => sum(all.map(costOf))),
    ...sellersAlone(stream, model),
    byKind: Object.fromEntries(
      KINDS.map((kind) => {
        const requests = stream.requests.filter((replayed) => replayed.kind === kind);
        const cheapest = served.cheapest.filter(({ replayed }) => replayed.kind === kind);
        const each = offers.map(({ offer }) => alone({ ...stream, requests }, offer));
        return [kind, { cheapest: sum(cheapest.map(costOf)), mean: meanOf(each) }];
      }),
    ) as ModelCosts['byKind'],
    hindsight: sum(
      stream.requests.map((replayed) =>
        Math.min(...offers.map(({ offer }) => costAt(offer, replayed, stream.caches))),
      ),
    ),
    ceilings: sum(served.cheapest.map(({ choice }) => choice.ceilingMsat)),
  };
}

function sellersAlone(stream: Compared, model: string): Omit<CheapestCosts, 'byStrategy'> {
  const offers = sellersOf(stream.config.providers).get(model) ?? [];
  const sellers = offers
    .map(({ provider, offer }) => ({ name: provider.name, cost: alone(stream, offer) }))
    .toSorted((a, b) => a.cost - b.cost || (a.name < b.name ? -1 : 1));
  return {
    sellers,
    mean: meanOf(sellers.map(({ cost }) => cost)),
    median: medianOf(sellers.map(({ cost }) => cost)),
  };
}

/** A seller that gets every request has whatever it may cache of it. */
const alone = ({ requests, caches }: Pick<Compared, 'requests' | 'caches'>, offer: Offer): number =>
  sum(requests.map((replayed) => costAt(offer, replayed, caches)));

/** One seller over all models that it sells, beside the cheapest of each request of the same models. */
export interface SellerCosts {
  readonly name: string;
  readonly models: number;
  readonly alone: number;
  readonly cheapest: number;
}

export function sellerCosts(models: readonly ModelCosts[]): SellerCosts[] {
  const names = new Set(models.flatMap(({ sellers }) => sellers.map(({ name }) => name)));
  return [...names]
    .map((name) => {
      const sold = models.flatMap((model) => {
        const seller = model.sellers.find((known) => known.name === name);
        return seller === undefined
          ? []
          : [{ alone: seller.cost, cheapest: model.byStrategy.cheapest }];
      });
      return {
        name,
        models: sold.length,
        alone: sum(sold.map((each) => each.alone)),
        cheapest: sum(sold.map((each) => each.cheapest)),
      };
    })
    .toSorted((a, b) => b.models - a.models || (a.name < b.name ? -1 : 1));
}

/** `auto` by complexity, beside the cheapest frontier seller for everything. */
export interface TierCosts {
  readonly auto: number;
  readonly frontier: number;
  /** Requests per tier that served. */
  readonly served: Readonly<Record<string, number>>;
}

export function tierCosts(stream: Stream, frontier: readonly ModelCosts[]): TierCosts {
  const order = { ...stream, model: 'auto', strategy: 'cheapest' } as const;
  const served = replay(order);
  const tiers = Map.groupBy(served, ({ choice }) => choice.candidates[0].tier);
  return {
    auto: sum(served.map(({ costMsat }) => costMsat)),
    frontier: Math.min(...frontier.map(({ byStrategy }) => byStrategy.cheapest)),
    served: Object.fromEntries([...tiers].map(([tier, list]) => [tier, list.length])),
  };
}

/** Part of `of` that `cost` saves; negative where it costs more. */
export const saved = (cost: number, of: number): number => 1 - cost / of;

export const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

const meanOf = (values: readonly number[]): number => sum(values) / values.length;

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  return (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2;
}

const mapValues = <K extends string, V, R>(
  record: Record<K, V>,
  map: (value: V) => R,
): Record<K, R> =>
  Object.fromEntries(Object.entries<V>(record).map(([key, value]) => [key, map(value)])) as Record<
    K,
    R
  >;
