/** From the bytes of a request to what routing knows of it, by the endpoint that was asked. */
import type { Endpoint, ParsedRequest } from './api-request.ts';
import { parseChatRequest } from './chat-request.ts';
import { parseCompletionsRequest } from './completions-request.ts';
import { parseEmbeddingsRequest } from './embeddings-request.ts';
import { parseResponsesRequest } from './responses-request.ts';

/** Each never throws. O(bytes); the caller has bounded the body (`server.body_limit_mb`). */
export const PARSERS: Readonly<Record<Endpoint, (raw: Buffer) => ParsedRequest>> = {
  chat: parseChatRequest,
  responses: parseResponsesRequest,
  completions: parseCompletionsRequest,
  embeddings: parseEmbeddingsRequest,
};
