/**
 * A request to one of the endpoints, as far as the stages after parsing need to know it: which model,
 * how much it may produce, what it asks of a provider. The endpoints differ in how they write it.
 */
import type { Prompt } from '../tokens/prompt.ts';
import type { JsonObject } from './json-object.ts';
import type { ObjectSpans } from './json-spans.ts';

export const ENDPOINTS = ['chat', 'responses', 'completions', 'embeddings'] as const;
export type Endpoint = (typeof ENDPOINTS)[number];
/** Behind a provider's base URL, and behind core's own `/v1`. */
export const ENDPOINT_PATHS: Readonly<Record<Endpoint, string>> = {
  chat: '/chat/completions',
  responses: '/responses',
  completions: '/completions',
  embeddings: '/embeddings',
};

export interface ApiRequest {
  readonly endpoint: Endpoint;
  /** Exactly what the caller sent; where it refers to earlier items, with these in their places. */
  readonly raw: Buffer;
  /** Of the members of the object in `raw`. */
  readonly spans: ObjectSpans;
  readonly body: JsonObject;
  readonly model: string;
  /** In chat's words, for policy and complexity; empty where nobody is spoken to. */
  readonly messages: readonly JsonObject[];
  readonly stream: boolean;
  /**
   * The caller's own word on `stream_options.include_usage`; null counts as absent. Means nothing
   * unless `stream`: the option then goes upstream as it is, for the provider to accept or refuse.
   */
  readonly includeUsage: 'asked' | 'declined' | 'absent';
  /**
   * Output bound per choice, tokens; null = none, 0 = there is no output. Where chat's two names for
   * it are both given it is the larger: both go upstream unchanged, and a provider that knows only one
   * of them may produce as much as that one allows. Reserving the smaller would let a caller buy more
   * than was held.
   */
  readonly maxTokens: number | null;
  /** Answers that are asked for, over all prompts. */
  readonly n: number;
  /** Prompts that have nothing to do with each other, each of which must fit the context window. */
  readonly prompts: number;
  /** Some message has an image part. */
  readonly hasImages: boolean;
  /** Tools (or the older `functions`) are offered to the model. */
  readonly hasTools: boolean;
  /** JSON is asked for, with or without a schema. */
  readonly wantsJson: boolean;
  /** The reasoning effort that is asked for, whatever was sent. */
  readonly effort: unknown;
  /** What the model reads. O(size of the body). */
  readonly prompt: () => Prompt;
  /**
   * Of a Responses request: the same as a chat request, for a provider that has only that. Made when
   * first asked for and kept. null = it is one already, or never has such a form.
   */
  readonly asChat: (() => ApiRequest | Untranslatable) | null;
}

/** Why a request has no chat form. */
export interface Untranslatable {
  readonly untranslatable: true;
  readonly param: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

export interface RequestError {
  readonly code: 'invalid_json' | 'invalid_request' | 'unsupported_parameter';
  /** Path of what is wrong, as OpenAI writes it (`messages[0].role`); null = the body as a whole. */
  readonly param: string | null;
  /** What is wrong and what to do; never quotes a prompt. */
  readonly message: string;
}

export type ParsedRequest =
  | { readonly ok: true; readonly request: ApiRequest }
  | { readonly ok: false; readonly error: RequestError };

/** One check's verdict: null = nothing wrong. */
export type Complaint = RequestError | null;
