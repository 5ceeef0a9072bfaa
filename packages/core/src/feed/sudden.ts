/**
 * A price that moves more than tenfold between two readings counts when it is read twice. Sellers do
 * not reprice like that; feeds that are half written, or in another unit for a moment, do, and the
 * first one to be asked would pay for it. Until then it is unknown: to go on selling at the old one
 * may be below cost. Pure.
 */
import { type Decimal, isAbove } from '../pricing/decimal.ts';
import { type Feed, type FeedPrice, isKnown } from './feed.ts';

export interface PriceMemory {
  readonly accepted: ReadonlyMap<string, FeedPrice>;
  /** Seen once, and too far from what was accepted. */
  readonly doubted: ReadonlyMap<string, FeedPrice>;
}

export const NO_MEMORY: PriceMemory = { accepted: new Map(), doubted: new Map() };

const SUDDEN = {
  unknown: 'its price moved more than tenfold, which counts when it is read a second time',
};

export function acceptPrices(
  feed: Feed,
  memory: PriceMemory,
): { readonly feed: Feed; readonly memory: PriceMemory } {
  const accepted = new Map<string, FeedPrice>();
  const doubted = new Map<string, FeedPrice>();
  const models = feed.models.map((model) => {
    const { id, price } = model;
    const before = memory.accepted.get(id);
    if (!isKnown(price) || before === undefined || !isSudden(before, price)) {
      const known = isKnown(price) ? price : before;
      if (known !== undefined) accepted.set(id, known);
      return model;
    }
    const doubtedBefore = memory.doubted.get(id);
    if (doubtedBefore !== undefined && !isSudden(doubtedBefore, price)) {
      accepted.set(id, price);
      return model;
    }
    accepted.set(id, before);
    doubted.set(id, price);
    return { ...model, price: SUDDEN };
  });
  return { feed: { ...feed, models }, memory: { accepted, doubted } };
}

const isSudden = (a: FeedPrice, b: FeedPrice): boolean =>
  a.currency === b.currency && (isFar(a.input, b.input) || isFar(a.output, b.output));

const isFar = (a: Decimal, b: Decimal): boolean =>
  isAbove(a, tenTimes(b)) || isAbove(b, tenTimes(a));

const tenTimes = ({ digits, exponent }: Decimal): Decimal => ({ digits, exponent: exponent + 1 });
