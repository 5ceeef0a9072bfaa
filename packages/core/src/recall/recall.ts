/**
 * RECALL: where a Responses request refers to earlier items by their ids, as the Vercel AI SDK does,
 * those that core remembers take the places of the references. What goes on is a request that might
 * have been sent with the items in it: estimated, held, scored, translated and billed by all of its
 * text, and understood by a seller that has the endpoint itself, who knows no id of ours.
 *
 * It comes after the claim, which goes by the caller's own bytes: an answer that is kept under a key
 * is given again also when what was referred to is forgotten.
 */
import { type Refusal, refuse } from '../errors.ts';
import type { ApiRequest } from '../openai/api-request.ts';
import type { JsonObject } from '../openai/json-object.ts';
import { elementSpans, memberOf } from '../openai/json-spans.ts';
import { isReference } from '../openai/responses-input.ts';
import { parseResponsesRequest } from '../openai/responses-request.ts';

/**
 * Characters that one request may recall. Only its own body is counted among those under way; some
 * 30 bytes of reference must not bring in as much as they like, again and again.
 */
export const RECALLED_CHARS_MAX = 1024 * 1024;

/** `find`: an item of this caller's, as JSON; null = not remembered. Never throws. */
export function recall(
  request: ApiRequest,
  find: (id: string) => string | null,
): ApiRequest | Refusal {
  const { endpoint, body, raw, spans } = request;
  const input: readonly JsonObject[] = Array.isArray(body.input) ? body.input : [];
  if (endpoint !== 'responses' || !input.some(isReference)) return request;
  // Checked when the request was parsed.
  const { valueStart, valueEnd } = memberOf(spans, 'input')!;
  const elements = elementSpans(raw, valueStart, valueEnd);
  const pieces: Buffer[] = [];
  let recalled = 0;
  let at = 0;
  for (const [i, item] of input.entries()) {
    if (!isReference(item)) continue;
    const json = typeof item.id === 'string' ? find(item.id) : null;
    if (json === null) return notRemembered(`input[${i}]`);
    recalled += json.length;
    if (recalled > RECALLED_CHARS_MAX) return tooMuch();
    const { start, end } = elements[i]!;
    pieces.push(raw.subarray(at, start), Buffer.from(json));
    at = end;
  }
  const parsed = parseResponsesRequest(Buffer.concat([...pieces, raw.subarray(at)]));
  if (parsed.ok) return parsed.request;
  const { code, message, param } = parsed.error;
  return refuse(code, message, { param });
}

const FIX =
  'Send the items themselves: set store: false (in the Vercel AI SDK providerOptions: { openai: { store: false } }), and clients do.';

const notRemembered = (param: string): Refusal =>
  refuse(
    'unsupported_parameter',
    `'${param}' refers to an item that this core does not remember: the core was restarted, or another one or a seller made it, or it was not used for an hour, or newer ones needed its room. ${FIX}`,
    { param },
  );

const tooMuch = (): Refusal =>
  refuse(
    'invalid_request',
    `'input' refers to items of more than ${RECALLED_CHARS_MAX} characters. ${FIX}`,
    { param: 'input' },
  );
