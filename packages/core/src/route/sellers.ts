/** Who sells which model: so that choosing does not look at everybody's whole price list. */
import type { Offer, ProviderConfig } from '../config/types.ts';

export interface Seller {
  readonly provider: ProviderConfig;
  readonly offer: Offer;
}

export type Sellers = ReadonlyMap<string, readonly Seller[]>;

const indexes = new WeakMap<readonly ProviderConfig[], Sellers>();

/** Made once per list of providers, which is never changed but replaced. */
export function sellersOf(providers: readonly ProviderConfig[]): Sellers {
  const known = indexes.get(providers);
  if (known !== undefined) return known;
  const sellers = new Map<string, Seller[]>();
  for (const provider of providers) {
    for (const [model, offer] of provider.offers) {
      const list = sellers.get(model);
      if (list === undefined) sellers.set(model, [{ provider, offer }]);
      else list.push({ provider, offer });
    }
  }
  indexes.set(providers, sellers);
  return sellers;
}
