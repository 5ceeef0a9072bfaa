/** `providers`: who sells what, for how much. Prices are those that callers pay, markup included. */
import { formatSats, type Msat } from '@arbstr/shared';
import type { Offer, ProviderConfig } from '../config/types.ts';
import type { Rates } from '../pricing/rate.ts';
import { type CommandInput, type CommandResult, withConfig } from './command.ts';

export function providers(input: CommandInput): CommandResult {
  return withConfig(input, ({ config }) => {
    if (config.providers.length === 0) return 'No providers configured.\n';
    return `Configured providers:\n${config.providers.map(describe).join('')}`;
  });
}

function describe(provider: ProviderConfig): string {
  const { name, kind, url, models, endpoints, tier, apiKey } = provider;
  const details = [
    `Models: ${models.length === 0 ? 'none' : models.join(', ')}`,
    `Tier: ${tier}`,
    `Endpoints: ${[...endpoints].join(', ')}`,
    ...prices([...provider.offers.values()]),
    `Key: ${apiKey === null ? 'none' : apiKey.mask()}`,
  ];
  return [
    `\n  ${name} (${kind === 'mock' ? 'mock' : url})\n`,
    ...details.map((d) => `    ${d}\n`),
  ].join('');
}

/** One line where all models cost the same, else one for each. */
function prices(offers: readonly Offer[]): string[] {
  const lines = offers.map(({ rates }) => priceLine(rates));
  if (new Set(lines).size <= 1) return lines.slice(0, 1).map((line) => `Rates: ${line}`);
  return ['Rates:', ...offers.map(({ model }, nth) => `  ${model}: ${lines[nth]}`)];
}

function priceLine(rates: Rates): string {
  const cached = rates.cachedInputMsatPerMtok;
  return [
    `${sats(rates.inputMsatPerMtok)} sats/1M input`,
    `${sats(rates.outputMsatPerMtok)} sats/1M output`,
    ...(cached === null ? [] : [`${sats(cached)} sats/1M cached input`]),
    ...(rates.baseFeeMsat === 0 ? [] : [`Base fee: ${formatSats(rates.baseFeeMsat)} sats`]),
  ].join(', ');
}

/** A rate is an integer number of msat, so it prints like an amount. */
const sats = (rateMsat: number): string => formatSats(rateMsat as Msat);
