/**
 * A request to the older completions endpoint: one or several prompts, as text or as tokens.
 * Shapes: OpenAI API reference, "Create completion".
 */
import { plainPrompt } from '../tokens/prompt.ts';
import type { Complaint, ParsedRequest } from './api-request.ts';
import { readPlainInput } from './plain-input.ts';
import {
  CHOICES_MAX,
  checkBoolean,
  checkCount,
  checkModel,
  checkStreamOptions,
  includeUsageOf,
  invalid,
  readObject,
} from './read-body.ts';

/** Never throws. */
export function parseCompletionsRequest(raw: Buffer): ParsedRequest {
  const read = readObject(raw, '"model" and "prompt"');
  if ('error' in read) return { ok: false, error: read.error };
  const { body, spans } = read;
  // Without a prompt the model begins a document of its own, as OpenAI has it.
  const input = readPlainInput('prompt', body.prompt ?? '');
  const suffix = typeof body.suffix === 'string' && body.suffix !== '' ? [body.suffix] : [];
  const complaint: Complaint =
    checkModel(body.model) ??
    ('error' in input ? input.error : checkSuffix(suffix, input.count)) ??
    checkBoolean('stream', body.stream) ??
    checkStreamOptions(raw, spans, body.stream_options) ??
    checkCount(raw, spans, body, 'max_tokens', Number.MAX_SAFE_INTEGER) ??
    checkCount(raw, spans, body, 'n', CHOICES_MAX) ??
    checkCount(raw, spans, body, 'best_of', CHOICES_MAX);
  if (complaint !== null) return { ok: false, error: complaint };
  if ('error' in input) return { ok: false, error: input.error };

  const texts = [...input.texts, ...suffix];
  return {
    ok: true,
    request: {
      endpoint: 'completions',
      raw,
      spans,
      body,
      model: body.model as string,
      messages: [{ role: 'user', content: input.texts.join('\n') }],
      stream: body.stream === true,
      includeUsage: includeUsageOf(body.stream_options),
      maxTokens: (body.max_tokens as number | null | undefined) ?? null,
      n: ((body.n as number | null | undefined) ?? 1) * input.count,
      prompts: input.count,
      hasImages: false,
      hasTools: false,
      wantsJson: false,
      effort: undefined,
      prompt: () => plainPrompt(texts, input.ids),
      asChat: null,
    },
  };
}

/** Each prompt would be read with it, while it stands in the request, and is counted, once. */
function checkSuffix(suffix: readonly string[], prompts: number): Complaint {
  if (suffix.length === 0 || prompts === 1) return null;
  return invalid('suffix', "'suffix' goes with one prompt. Send one request for each prompt.");
}
