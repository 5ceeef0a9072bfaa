/**
 * The built-in configuration of `serve --mock`: three sellers of the same models at different
 * prices, inside this process, without keys and without a vault. It runs anywhere and shows the
 * one thing that core is for: the cheapest answers.
 */

import { ZERO_MSAT } from '@arbstr/shared';
import { CALIBRATED } from '../complexity/score.ts';
import { ENDPOINTS } from '../openai/api-request.ts';
import { type Rates, rateFromSats } from '../pricing/rate.ts';
import { IMAGE_TOKENS_DEFAULT } from '../tokens/prompt.ts';
import { deepFreeze } from './freeze.ts';
import {
  BREAKER_DEFAULT,
  type Config,
  type MockSettings,
  type Offer,
  type ProviderConfig,
  RETRY_DEFAULT,
  TIMEOUTS_DEFAULT,
} from './types.ts';

/** Sats per 1,000 tokens, as the demo shows them. */
const MOCK_PRICES = [
  ['alpha', 8],
  ['beta', 12],
  ['gamma', 10],
] as const;

export const MOCK_MODELS = ['gpt-4o-mini', 'gpt-4o', 'mock-model'] as const;

/** Slow enough to be seen streaming, fast enough not to bore. */
const MOCK_CHUNK_DELAY_MS = 15;

export function mockConfig(): Config {
  return deepFreeze<Config>({
    server: {
      host: '127.0.0.1',
      port: 8080,
      authToken: null,
      bodyLimitBytes: 20 * 1024 * 1024,
      drainMs: 30_000,
      clientStallMs: 60_000,
      rateLimitRps: 0,
      maxConcurrencyPerCaller: 64,
    },
    database: { path: './data/arbstr.db' },
    vault: null,
    providers: MOCK_PRICES.map(([name, satsPerKtok]) => mockProvider(name, satsPerKtok)),
    markupPpm: 0,
    breaker: BREAKER_DEFAULT,
    retry: RETRY_DEFAULT,
    policies: { defaultStrategy: 'cheapest', rules: [] },
    virtualModels: new Map(),
    routing: {
      floorConcreteModels: false,
      thresholdLow: CALIBRATED.thresholdLow,
      thresholdHigh: CALIBRATED.thresholdHigh,
      weights: CALIBRATED.weights,
    },
    logging: { level: 'info', logRequests: true, retentionMs: 30 * 86_400_000 },
  });
}

function mockProvider(name: string, satsPerKtok: number): ProviderConfig {
  const msatPerMtok = rateFromSats(satsPerKtok * 1000);
  const rates: Rates = {
    inputMsatPerMtok: msatPerMtok,
    outputMsatPerMtok: msatPerMtok,
    cachedInputMsatPerMtok: null,
    baseFeeMsat: ZERO_MSAT,
  };
  const mock: MockSettings = {
    latencyMs: 0,
    chunkDelayMs: MOCK_CHUNK_DELAY_MS,
    answer: null,
    faults: [],
    faultRate: 1,
  };
  return {
    name,
    url: '',
    kind: 'mock',
    apiKey: null,
    keySource: 'none',
    models: [...MOCK_MODELS],
    endpoints: new Set(ENDPOINTS),
    weight: 1,
    tier: 'standard',
    maxConcurrency: 64,
    timeouts: TIMEOUTS_DEFAULT,
    usageTolerance: 2,
    allowParams: [],
    onDisconnect: 'cancel',
    mock,
    offers: new Map(MOCK_MODELS.map((model) => [model, mockOffer(model, rates)])),
  };
}

function mockOffer(model: string, rates: Rates): Offer {
  return {
    model,
    rates,
    providerRates: rates,
    contextWindow: 128_000,
    maxOutputTokens: 16_384,
    supports: new Set(['tools', 'images', 'json']),
    reasoning: false,
    imageTokens: IMAGE_TOKENS_DEFAULT,
  };
}
