/** From what was delivered to what it costs: joins the meter, the tokenizer and the rates. */
import { normalizeUsage } from '../openai/usage.ts';
import { type Bill, decideBill } from '../pricing/bill.ts';
import type { Hold } from '../reserve/hold.ts';
import type { Candidate } from '../route/choose.ts';
import type { Meter } from '../stream/meter.ts';
import { countTokens } from '../tokens/count.ts';
import { tokenFloor } from '../tokens/floor.ts';
import { countPrompt, type Prompt, promptFloor } from '../tokens/prompt.ts';

/** The bill of what reached the caller, whole or in part. */
export function billDelivered(
  candidate: Candidate,
  prompt: Prompt,
  meter: Meter,
  hold: Hold,
): Bill {
  const { offer, provider } = candidate;
  return decideBill({
    rates: offer.rates,
    providerRates: offer.providerRates,
    reported: normalizeUsage(meter.usage),
    own: {
      inputFloor: () => promptFloor(prompt),
      outputFloor: () => tokenFloor(meter.text()),
      inputTokens: () => countPrompt(prompt, offer.imageTokens),
      outputTokens: () => countDelivered(meter),
    },
    tolerance: provider.usageTolerance,
    reasoningModel: offer.reasoning,
    held: hold.heldMsat,
  });
}

/** The provider was sent the request and nobody read its answer: it bills the prompt at least. */
export function billUnanswered(candidate: Candidate, prompt: Prompt, hold: Hold): Bill {
  const { offer, provider } = candidate;
  return decideBill({
    rates: offer.rates,
    providerRates: offer.providerRates,
    reported: null,
    own: {
      inputFloor: () => 0,
      outputFloor: () => 0,
      inputTokens: () => countPrompt(prompt, offer.imageTokens),
      outputTokens: () => 0,
    },
    tolerance: provider.usageTolerance,
    reasoningModel: offer.reasoning,
    held: hold.heldMsat,
  });
}

/** The meter keeps a bounded text; beyond it the rest counts like what was kept. */
function countDelivered(meter: Meter): number {
  const text = meter.text();
  const tokens = countTokens(text);
  if (text.length === 0 || meter.textLength <= text.length) return tokens;
  return Math.ceil(tokens * (meter.textLength / text.length));
}
