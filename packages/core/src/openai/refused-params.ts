/**
 * Parameters that change the price or the model behind our back. A request is reserved and billed
 * at the rates of the model that was chosen; each of these makes the provider charge something
 * else (a dearer tier, a fee per search, audio tokens) or run another model. When billing they are
 * refused, unless the provider's `allow_params` names them; in free mode nobody calls this.
 *
 * A value that asks for nothing is harmless and passes: null, an empty list or object where that
 * means "none", `background: false` and `echo: false`, text as the only modality. So do `service_tier` "auto" (what
 * OpenAI documents as the meaning of leaving it out) and "default" (its standard rate); clients
 * send both unasked.
 */
import type { ApiRequest, RequestError } from './api-request.ts';

interface RefusedParam {
  /** The word for `allow_params`. */
  readonly name: string;
  /** Absent = every kind of provider. */
  readonly kinds?: ReadonlySet<string>;
  /** Where the request asks for it: the path to show, null = it does not. */
  readonly find: (request: ApiRequest, allowParams: readonly string[]) => string | null;
}

/** They sell other sellers' models, so their own routing parameters choose model and price. */
const RESELLERS: ReadonlySet<string> = new Set(['openrouter', 'routstr']);

/** Values of `service_tier` that cost the standard rate. */
const STANDARD_TIERS: ReadonlySet<unknown> = new Set(['auto', 'default']);

const REFUSED: readonly RefusedParam[] = [
  member('service_tier', (value) => STANDARD_TIERS.has(value)),
  // `{}` asks for a search with default options.
  member('web_search_options', () => false),
  member('background', (value) => value === false),
  { name: 'best_of', find: findBestOf },
  // The prompt comes back among the output, where nobody can tell it from what was produced.
  member('echo', (value) => value === false),
  { name: 'hosted_tools', find: findHostedTool },
  { name: 'prompt', find: findTemplate },
  { name: 'audio', find: findAudio },
  { name: 'modalities', find: findModalities },
  { name: 'plugins', kinds: RESELLERS, find: findPlugins },
  member('models', isEmpty, RESELLERS),
  member('provider', isEmpty, RESELLERS),
  member('route', () => false, RESELLERS),
];

/** The words that mean something in `allow_params`. */
export const ALLOWABLE_PARAMS: readonly string[] = REFUSED.map(({ name }) => name);

export interface Refused {
  /** The path to show the caller. */
  readonly param: string;
  /** The word for `allow_params`. */
  readonly name: string;
}

/**
 * The first parameter of `request` that a provider of `kind` must not see; null = none. `allowParams`
 * are names of the table; "audio" also allows the audio modality.
 */
export function refusedParam(
  request: ApiRequest,
  kind: string,
  allowParams: readonly string[],
): Refused | null {
  for (const { name, kinds, find } of REFUSED) {
    if (kinds !== undefined && !kinds.has(kind)) continue;
    if (allowParams.includes(name)) continue;
    const param = find(request, allowParams);
    if (param !== null) return { param, name };
  }
  return null;
}

export function unsupportedParameter({ param, name }: Refused): RequestError {
  return {
    code: 'unsupported_parameter',
    param,
    message:
      `'${param}' can change the price or the model outside of what was reserved for this request. ` +
      `Leave it out, or have the operator add "${name}" to the provider's allow_params.`,
  };
}

function member(
  name: string,
  isHarmless: (value: unknown) => boolean,
  kinds?: ReadonlySet<string>,
): RefusedParam {
  const find = ({ body }: ApiRequest): string | null => {
    const value = body[name];
    return value === undefined || value === null || isHarmless(value) ? null : name;
  };
  return kinds === undefined ? { name, find } : { name, kinds, find };
}

/** Output (`audio`) and input (`input_audio` parts): both are priced as audio tokens. */
function findAudio({ body, messages }: ApiRequest): string | null {
  if (body.audio !== undefined && body.audio !== null) return 'audio';
  for (let i = 0; i < messages.length; i++) {
    const { content } = messages[i]!;
    if (!Array.isArray(content)) continue;
    if (content.some((part) => typeOf(part) === 'input_audio')) return `messages[${i}].content`;
  }
  return null;
}

/** Of each prompt the provider produces all of them, bills all of them, and shows only `n`. */
function findBestOf({ body, n, prompts }: ApiRequest): string | null {
  const { best_of: made } = body;
  return typeof made === 'number' && made > n / prompts ? 'best_of' : null;
}

/** Tools that the caller runs itself cost nothing but their tokens; any other runs at the seller. */
const OWN_TOOLS: ReadonlySet<unknown> = new Set(['function', 'custom']);

function findHostedTool({ endpoint, body }: ApiRequest): string | null {
  if (endpoint !== 'responses' || !Array.isArray(body.tools)) return null;
  const at = body.tools.findIndex((tool) => !OWN_TOOLS.has(typeOf(tool)));
  return at === -1 ? null : `tools[${at}].type`;
}

/** A template at the seller may name another model, and tools of its own. */
function findTemplate({ endpoint, body }: ApiRequest): string | null {
  const isTemplate = endpoint === 'responses' && typeof body.prompt === 'object';
  return isTemplate && body.prompt !== null ? 'prompt' : null;
}

/** Anything but text is priced by other units than text tokens. */
function findModalities({ body }: ApiRequest, allowParams: readonly string[]): string | null {
  const { modalities } = body;
  if (modalities === undefined || modalities === null) return null;
  if (!Array.isArray(modalities)) return 'modalities';
  const mayPass = (modality: unknown): boolean =>
    modality === 'text' || (modality === 'audio' && allowParams.includes('audio'));
  return modalities.every(mayPass) ? null : 'modalities';
}

/** OpenRouter also takes its plugins as tools (`openrouter:web_search`), at the same fees. */
function findPlugins({ body }: ApiRequest): string | null {
  const { plugins, tools } = body;
  if (plugins !== undefined && plugins !== null && !isEmpty(plugins)) return 'plugins';
  if (!Array.isArray(tools)) return null;
  for (let i = 0; i < tools.length; i++) {
    const type = typeOf(tools[i]);
    if (typeof type === 'string' && type.startsWith('openrouter:')) return `tools[${i}].type`;
  }
  return null;
}

function typeOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : null;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
