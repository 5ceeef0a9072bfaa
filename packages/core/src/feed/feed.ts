/**
 * What a seller's list of models says, in one shape for every kind of seller. Prices stay in the
 * seller's own currency and as exact decimals: what they are in msat depends on the exchange rate,
 * which may move without the list.
 */
import type { Capability } from '../config/types.ts';
import type { Decimal } from '../pricing/decimal.ts';

export interface Feed {
  readonly models: readonly FeedModel[];
  /** Entries that are no model, and why. */
  readonly refused: readonly Unroutable[];
}

export interface Unroutable {
  /** Safe to show. */
  readonly model: string;
  readonly reason: string;
}

export interface FeedModel {
  readonly id: string;
  /** Other names that the seller takes for it. */
  readonly aliases: readonly string[];
  /** null = the feed has no prices. */
  readonly price: FeedPrice | UnknownPrice | null;
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  /** null = the feed does not say. */
  readonly supports: ReadonlySet<Capability> | null;
  readonly reasoning: boolean | null;
  /** What an image costs at most, as tokens of input; null = the feed does not say. */
  readonly imageTokens: number | null;
  /** What makes it unfit for chat completions; null = nothing. */
  readonly unfit: string | null;
}

/** Per token. */
export interface TokenPrices {
  readonly input: Decimal;
  readonly output: Decimal;
  readonly cachedInput: Decimal | null;
}

export interface FeedPrice extends TokenPrices {
  readonly currency: 'sat' | 'usd';
  /** Dearer prices of longer prompts, ascending: each for the whole request. */
  readonly steps: readonly FeedStep[];
  /** Per request. */
  readonly fee: Decimal | null;
  /** The same price in USD, where the seller says both; null = it does not. */
  readonly inUsd: { readonly input: Decimal; readonly output: Decimal } | null;
}

export interface FeedStep extends TokenPrices {
  readonly fromTokens: number;
}

/** A price that cannot be used is not a price of zero. */
export interface UnknownPrice {
  readonly unknown: string;
}

export const isKnown = (price: FeedModel['price']): price is FeedPrice =>
  price !== null && 'currency' in price;
