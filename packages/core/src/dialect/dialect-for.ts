/** In which dialect a provider can serve a request, if in any. */
import type { ApiRequest, Endpoint } from '../openai/api-request.ts';
import { CHAT } from './chat.ts';
import { COMPLETIONS } from './completions.ts';
import type { Dialect } from './dialect.ts';
import { EMBEDDINGS } from './embeddings.ts';
import { RESPONSES } from './responses.ts';
import { RESPONSES_OVER_CHAT } from './responses-over-chat.ts';

const NATIVE: Readonly<Record<Endpoint, Dialect>> = {
  chat: CHAT,
  responses: RESPONSES,
  completions: COMPLETIONS,
  embeddings: EMBEDDINGS,
};

export type NoDialect =
  | { reason: 'no_endpoint'; endpoint: Endpoint }
  | { reason: 'untranslatable'; param: string; message: string };

/** The provider's own endpoint where it has it: a translation knows less than both sides. */
export function dialectFor(
  { endpoint, asChat }: ApiRequest,
  endpoints: ReadonlySet<Endpoint>,
): Dialect | NoDialect {
  if (endpoints.has(endpoint)) return NATIVE[endpoint];
  if (asChat === null || !endpoints.has('chat')) return { reason: 'no_endpoint', endpoint };
  const chat = asChat();
  if (!('untranslatable' in chat)) return RESPONSES_OVER_CHAT;
  return { reason: 'untranslatable', param: chat.param, message: chat.message };
}
