/** The embeddings of a mock: short vectors that are the same for the same text. */
import { createHash } from 'node:crypto';
import {
  asArray,
  asText,
  checkBody,
  type Json,
  type MockRefusal,
  type MockRequest,
  refusal,
} from './request.ts';
import type { Envelope, MockEndpoint } from './wire.ts';
import { PLAIN, readInputs } from './wire-completions.ts';

export interface EmbeddingsRequest extends MockRequest {
  /** What each vector is made of. */
  readonly inputs: readonly string[];
  readonly base64: boolean;
  readonly dimensions: number;
}

const DIMENSIONS = 8;
/** As the largest real ones have. */
const DIMENSIONS_MAX = 3_072;

export const EMBEDDINGS: MockEndpoint = {
  idPrefix: 'embd-',
  read,
  whole: (envelope) => JSON.stringify(bodyOf(envelope)),
  // Embeddings are never streamed.
  events: () => [],
  usage: ({ prompt }) => ({ prompt_tokens: prompt, total_tokens: prompt }),
};

function read(body: unknown): EmbeddingsRequest | MockRefusal {
  const wrong = checkBody(body, ['dimensions']);
  if (wrong !== null) return wrong;
  const json = body as Json;
  const { texts, ids, count } = readInputs(json.input);
  const inputs = texts.length > 0 ? texts : asArray(json.input).map((item) => JSON.stringify(item));
  if (texts.length === 0 && ids === 0) {
    return refusal(400, "'$.input' is invalid.", null, 'input');
  }
  const dimensions = (json.dimensions ?? DIMENSIONS) as number;
  return {
    ...PLAIN,
    model: asText(json.model),
    streaming: false,
    includeUsage: false,
    hasStreamOptions: false,
    texts,
    ids,
    lastUserText: '',
    choices: 1,
    maxTokens: null,
    inputs: count === 1 && texts.length === 0 ? [inputs.join()] : inputs,
    base64: json.encoding_format === 'base64',
    dimensions: Math.min(dimensions, DIMENSIONS_MAX),
  };
}

function bodyOf({ request, usage }: Envelope): object {
  const { inputs, base64, dimensions } = request as EmbeddingsRequest;
  return {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = vectorOf(input, dimensions);
      const embedding = base64 ? Buffer.from(vector.buffer).toString('base64') : [...vector];
      return { object: 'embedding', index, embedding };
    }),
    model: request.model,
    ...(usage !== null && { usage }),
  };
}

/** Of length 1, as the real ones are. */
function vectorOf(text: string, dimensions: number): Float32Array {
  const bytes = createHash('sha256').update(text).digest();
  const vector = Float32Array.from(
    { length: dimensions },
    (_, i) => (bytes[i % bytes.length]! - 127.5) / (1 + Math.floor(i / bytes.length)),
  );
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
