/** A market of many sellers of many models, and requests to it. */

import { loadConfig } from '../../../packages/core/src/config/load.ts';
import type { Config, Offer, ProviderConfig } from '../../../packages/core/src/config/types.ts';
import type { ApiRequest } from '../../../packages/core/src/openai/api-request.ts';
import { parseChatRequest } from '../../../packages/core/src/openai/chat-request.ts';
import {
  estimatePrompt,
  type PromptEstimate,
  promptOf,
} from '../../../packages/core/src/tokens/prompt.ts';
import { chatBody } from '../../prompts.ts';

export const SELLERS = 50;
export const MODELS = 200;
/** Concrete models that the virtual one stands for; all of them are sold by everybody. */
export const VIRTUAL_MODELS = 6;

export interface Market {
  readonly config: Config;
  readonly models: readonly string[];
}

const nameOf = (nth: number): string => `model-${String(nth).padStart(3, '0')}`;

/** Everybody sells everything, at prices of their own. */
export function market(): Market {
  const models = Array.from({ length: MODELS }, (_, nth) => nameOf(nth));
  const config = configOf(`
[[providers]]
name = "seller"
url = "https://seller.example/v1"
models = ["${models[0]}"]
input_rate = 1000
output_rate = 3000
cached_input_rate = 500

[[models]]
name = "auto"
local = ["${models[0]}", "${models[1]}"]
standard = ["${models[2]}", "${models[3]}"]
frontier = ["${models[4]}", "${models[5]}"]
`);
  const [template] = config.providers;
  const providers = Array.from({ length: SELLERS }, (_, nth) => seller(template!, models, nth));
  return { config: { ...config, providers }, models };
}

function configOf(text: string): Config {
  const loaded = loadConfig({
    path: 'bench.toml',
    env: {},
    readFile: () => ({ text, mode: null }),
  });
  if (loaded.ok) return loaded.config;
  throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
}

function seller(template: ProviderConfig, models: readonly string[], nth: number): ProviderConfig {
  const [any] = template.offers.values();
  const offers = new Map(models.map((model, at) => [model, offer(any!, model, nth * MODELS + at)]));
  return { ...template, name: `seller-${nth}`, models, offers };
}

/** Multiples of primes: prices that look like chance and are the same in every run. */
function offer(any: Offer, model: string, nth: number): Offer {
  const rates = {
    ...any.rates,
    inputMsatPerMtok: 100_000 + ((nth * 7_919) % 900_000),
    outputMsatPerMtok: 300_000 + ((nth * 104_729) % 2_700_000),
  };
  return { ...any, model, rates, providerRates: rates };
}

export interface Asked {
  readonly request: ApiRequest;
  readonly prompt: PromptEstimate;
}

/** Parsing and counting come before the choice, and are not measured here. */
export function asked(model: string): Asked {
  const body = { ...(JSON.parse(chatBody('whole')) as object), model };
  const parsed = parseChatRequest(Buffer.from(JSON.stringify(body)));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return { request: parsed.request, prompt: estimatePrompt(promptOf(body)) };
}
