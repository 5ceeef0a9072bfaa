/**
 * The built-in configuration of `serve --mock`: three sellers of the same models at different
 * prices, inside this process, without keys and without a vault. It runs anywhere and shows the
 * one thing that core is for: the cheapest answers. It is read like a file, so that it has the
 * defaults of one.
 */
import { ENDPOINTS } from '../openai/api-request.ts';
import { loadConfig } from './load.ts';
import type { Config } from './types.ts';

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
  const text = MOCK_PRICES.map(([name, satsPerKtok]) => mockProvider(name, satsPerKtok)).join('');
  const readFile = () => ({ text, mode: null });
  const loaded = loadConfig({ path: 'built in', env: {}, readFile });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

const mockProvider = (name: string, satsPerKtok: number): string => `
[[providers]]
name = "${name}"
kind = "mock"
models = ${JSON.stringify(MOCK_MODELS)}
endpoints = ${JSON.stringify(ENDPOINTS)}
input_rate = ${satsPerKtok * 1000}
output_rate = ${satsPerKtok * 1000}
mock = { chunk_delay_ms = ${MOCK_CHUNK_DELAY_MS} }
${MOCK_MODELS.map(mockInfo).join('')}`;

const mockInfo = (model: string): string => `
[providers.model_info."${model}"]
context_window = 128000
max_output_tokens = 16384
supports = ["tools", "images", "json"]
`;
