/** A request for embeddings. Shapes: OpenAI API reference, "Create embeddings". */
import { plainPrompt } from '../tokens/prompt.ts';
import type { ParsedRequest } from './api-request.ts';
import { readPlainInput } from './plain-input.ts';
import { checkModel, invalid, readObject } from './read-body.ts';

/** Never throws. */
export function parseEmbeddingsRequest(raw: Buffer): ParsedRequest {
  const read = readObject(raw, '"model" and "input"');
  if ('error' in read) return { ok: false, error: read.error };
  const { body, spans } = read;
  const complaint = checkModel(body.model);
  if (complaint !== null) return { ok: false, error: complaint };
  if (body.input === undefined || body.input === null) {
    const message = "'input' is missing. Send a string or an array of strings.";
    return { ok: false, error: invalid('input', message) };
  }
  const input = readPlainInput('input', body.input);
  if ('error' in input) return { ok: false, error: input.error };
  return {
    ok: true,
    request: {
      endpoint: 'embeddings',
      raw,
      spans,
      body,
      model: body.model as string,
      // Nobody is spoken to: neither keywords nor complexity say anything about an embedding.
      messages: [],
      stream: false,
      includeUsage: 'absent',
      maxTokens: 0,
      n: 1,
      prompts: input.count,
      hasImages: false,
      hasTools: false,
      wantsJson: false,
      effort: undefined,
      prompt: () => plainPrompt(input.texts, input.ids),
      asChat: null,
    },
  };
}
