import type { Endpoint } from '../openai/api-request.ts';

/**
 * What the breaker of a model at one provider is kept under. A provider that lacks the model at one
 * endpoint, or that endpoint altogether, may serve it at another: chat must not rest for embeddings.
 */
export const seatOf = (model: string, endpoint: Endpoint): string =>
  endpoint === 'chat' ? model : `${model} (${endpoint})`;
