/**
 * What the caller is told where no candidate is left. What passes by itself comes first, rests before
 * full ones, because somebody could serve the same request later; only where nobody could ever is
 * the request itself at fault.
 */
import { type Refusal, refuse } from '../errors.ts';
import { unsupportedParameter } from '../openai/refused-params.ts';
import type { ChooseInput, Excluded, Exclusion } from './choose.ts';

export function refuseNobody(input: ChooseInput, excluded: readonly Excluded[]): Refusal {
  const model = JSON.stringify(input.request.model);
  if (excluded.length === 0) {
    return refuse(
      'model_not_found',
      input.virtual === null
        ? `No provider serves the model ${model}. GET /v1/models lists what is served.`
        : `No provider serves any of the models that ${model} stands for. GET /v1/models lists what is served.`,
      { param: 'model' },
    );
  }
  const serving = excluded.filter(({ exclusion }) => exclusion.reason !== 'no_endpoint');
  if (serving.length === 0) return refuseEndpoint(input);
  const allowed = serving.filter(
    ({ exclusion }) => exclusion.reason !== 'model_not_allowed' && exclusion.reason !== 'policy',
  );
  if (allowed.length === 0) return refuseForbidden(input, serving);
  const waiting = allowed.flatMap(({ provider, exclusion }) =>
    exclusion.reason === 'breaker_open' ? [{ provider, seat: exclusion.seat }] : [],
  );
  if (waiting.length > 0) {
    const atMs = input.availability.nextTryMs(waiting);
    return refuse(
      'no_healthy_provider',
      `Every provider of ${model} that could take this request rests, after failures or because it asked for a pause (${names(waiting)}). Try again later.`,
      { retryAfterSecs: Math.max(1, Math.ceil((atMs - input.nowMs) / 1000)) },
    );
  }
  if (allowed.some(({ exclusion }) => exclusion.reason === 'busy')) {
    return refuse(
      'overloaded',
      `Every provider of ${model} that could take this request is at its concurrency limit. Try again shortly.`,
    );
  }
  const short = allowed.filter(({ exclusion }) => exclusion.reason === 'balance_too_low');
  if (short.length > 0) {
    return refuse(
      'no_healthy_provider',
      `The operator's account at every provider of ${model} that could take it is too low for this request (${names(short)}). Ask for less with max_tokens, or have the operator top it up.`,
    );
  }
  return refuseUnfit(model, allowed[0]!.exclusion, input);
}

const names = (list: readonly { provider: string }[]): string =>
  [...new Set(list.map(({ provider }) => provider))].join(', ');

/** As OpenAI has it where a model is asked at an endpoint that it does not have. */
function refuseEndpoint({ request }: ChooseInput): Refusal {
  const { endpoint, model } = request;
  return refuse(
    'model_not_found',
    `No provider serves the model ${JSON.stringify(model)} at this endpoint. GET /v1/models shows the endpoints of each; the operator adds one with endpoints = [..., "${endpoint}"] where a provider has it.`,
    { param: 'model' },
  );
}

/** Where each endpoint has its prompt. */
const PROMPT_PARAM = {
  chat: 'messages',
  responses: 'input',
  completions: 'prompt',
  embeddings: 'input',
} as const;

/** The agent's own policy is named before the routing policy: the caller cannot choose it. */
function refuseForbidden(input: ChooseInput, excluded: readonly Excluded[]): Refusal {
  const model = JSON.stringify(input.request.model);
  const rules = excluded.flatMap(({ exclusion }) =>
    exclusion.reason === 'policy' ? [exclusion.rule] : [],
  );
  const [rule] = rules;
  if (rule === undefined) {
    const allowed = [...(input.agentModels ?? [])].join(', ');
    return refuse(
      'model_not_allowed',
      `The agent's spend policy does not allow ${model}. It allows: ${allowed === '' ? 'no model' : allowed}. Choose one of them, or have the operator change allowed_models.`,
      { param: 'model', details: { rule: 'allowed_models' } },
    );
  }
  const policy = input.rule?.name ?? '';
  return refuse(
    'policy_denied',
    `The routing policy "${policy}" leaves no provider for ${model} (${[...new Set(rules)].join(', ')}). Choose another policy or model, or have the operator change the policy.`,
    { details: { rule, policy } },
  );
}

function refuseUnfit(model: string, exclusion: Exclusion, input: ChooseInput): Refusal {
  const prompt = PROMPT_PARAM[input.request.endpoint];
  switch (exclusion.reason) {
    case 'untranslatable':
      return refuse('unsupported_parameter', exclusion.message, { param: exclusion.param });
    case 'unsupported_parameter': {
      const { code, message, param } = unsupportedParameter(exclusion);
      return refuse(code, message, { param });
    }
    case 'context_too_small':
      return refuse(
        'context_length_exceeded',
        `The prompt has about ${input.prompt.textTokens} tokens; ${model} takes at most ${exclusion.contextWindow}. Shorten '${prompt}'.`,
        { param: prompt },
      );
    case 'no_capability':
      return refuse(
        'invalid_request',
        `No provider of ${model} takes ${exclusion.capability}. Choose another model, or leave them out.`,
        { param: exclusion.capability === 'tools' ? 'tools' : prompt },
      );
    default:
      return refuse('no_healthy_provider', `No provider of ${model} can take a request now.`);
  }
}
