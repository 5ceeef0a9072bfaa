/** What providers really send, event by event, and how the pieces of it look. */

export const chunk = (delta: object, finish: string | null = null, extra: object = {}): string =>
  JSON.stringify({
    id: 'chatcmpl-9uT',
    object: 'chat.completion.chunk',
    created: 1_790_000_000,
    model: 'gpt-4o-mini-2024-07-18',
    service_tier: 'default',
    system_fingerprint: 'fp_44709d6fcb',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...extra,
  });

export const usageChunk = (usage: object): string => {
  const { choices: _, ...rest } = JSON.parse(chunk({})) as Record<string, unknown>;
  return JSON.stringify({ ...rest, choices: [], usage });
};

export const data = (...payloads: string[]): string =>
  payloads.map((payload) => `data: ${payload}\n\n`).join('');

const OPENAI_USAGE = {
  prompt_tokens: 19,
  completion_tokens: 10,
  total_tokens: 29,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
};

export const OPENAI = data(
  chunk({ role: 'assistant', content: '', refusal: null }, null, { usage: null }),
  chunk({ content: 'Grüß' }, null, { usage: null }),
  chunk({ content: ' dich 👋🏽, 世界' }, null, { usage: null }),
  chunk({}, 'stop', { usage: null }),
  usageChunk(OPENAI_USAGE),
  '[DONE]',
);

/** Comments while the seller is looked for; usage after the finish reason, in a chunk with a choice. */
export const OPENROUTER = [
  ': OPENROUTER PROCESSING\n\n',
  ': OPENROUTER PROCESSING\n\n',
  'data: {"id":"gen-17","provider":"DeepInfra","model":"qwen/qwen3-32b","object":"chat.completion.chunk","created":1790000001,"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Let me","reasoning_details":[{"type":"reasoning.text","text":"Let me","format":"unknown","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}\n\n',
  'data: {"id":"gen-17","provider":"DeepInfra","model":"qwen/qwen3-32b","object":"chat.completion.chunk","created":1790000001,"choices":[{"index":0,"delta":{"role":"assistant","content":"Yes."},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}\n\n',
  'data: {"id":"gen-17","provider":"DeepInfra","model":"qwen/qwen3-32b","object":"chat.completion.chunk","created":1790000001,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop","native_finish_reason":"stop","logprobs":null}]}\n\n',
  'data: {"id":"gen-17","provider":"DeepInfra","model":"qwen/qwen3-32b","object":"chat.completion.chunk","created":1790000001,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null,"logprobs":null}],"usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16,"cost":0.0000031,"is_byok":false}}\n\n',
  'data: [DONE]\n\n',
].join('');

export const OPENROUTER_DIES = [
  ': OPENROUTER PROCESSING\n\n',
  'data: {"id":"gen-18","provider":"Together","model":"m","object":"chat.completion.chunk","created":1790000002,"choices":[{"index":0,"delta":{"role":"assistant","content":"Half an"},"finish_reason":null}]}\n\n',
  'data: {"id":"gen-18","provider":"Together","model":"m","object":"chat.completion.chunk","created":1790000002,"error":{"code":502,"message":"Provider disconnected unexpectedly"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n',
].join('');

/** Reasoning under its own name, usage in the chunk that finishes. */
export const DEEPSEEK = data(
  '{"id":"d1","object":"chat.completion.chunk","created":1790000003,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":""},"logprobs":null,"finish_reason":null}]}',
  '{"id":"d1","object":"chat.completion.chunk","created":1790000003,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"First, "},"logprobs":null,"finish_reason":null}]}',
  '{"id":"d1","object":"chat.completion.chunk","created":1790000003,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"think."},"logprobs":null,"finish_reason":null}]}',
  '{"id":"d1","object":"chat.completion.chunk","created":1790000003,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"42","reasoning_content":null},"logprobs":null,"finish_reason":null}]}',
  '{"id":"d1","object":"chat.completion.chunk","created":1790000003,"model":"deepseek-reasoner","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17,"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":9,"completion_tokens_details":{"reasoning_tokens":6}}}',
  '[DONE]',
);

/** Two calls whose arguments arrive interleaved. */
export const PARALLEL_TOOLS = data(
  chunk({
    role: 'assistant',
    content: null,
    tool_calls: [
      { index: 0, id: 'call_a', type: 'function', function: { name: 'weather', arguments: '' } },
    ],
  }),
  chunk({
    tool_calls: [
      { index: 1, id: 'call_b', type: 'function', function: { name: 'time', arguments: '' } },
    ],
  }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] }),
  chunk({ tool_calls: [{ index: 1, function: { arguments: '{"zone":' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '"Paris"}' } }] }),
  chunk({ tool_calls: [{ index: 1, function: { arguments: '"UTC"}' } }] }),
  chunk({}, 'tool_calls'),
  '[DONE]',
);

/** vLLM's continuous_usage_stats: the running total in every chunk. */
export const CUMULATIVE_USAGE = data(
  chunk({ content: 'a' }, null, { usage: { prompt_tokens: 3, completion_tokens: 1 } }),
  chunk({ content: 'b' }, null, { usage: { prompt_tokens: 3, completion_tokens: 2 } }),
  chunk({}, 'stop', { usage: { prompt_tokens: 3, completion_tokens: 2 } }),
  '[DONE]',
);

export const NO_USAGE = data(chunk({ content: 'Hi' }), chunk({}, 'stop'), '[DONE]');

export const NO_DONE = data(chunk({ content: 'Hi' }), chunk({}, 'stop'), usageChunk(OPENAI_USAGE));

export const STREAMS: Readonly<Record<string, string>> = {
  OPENAI,
  OPENROUTER,
  OPENROUTER_DIES,
  DEEPSEEK,
  PARALLEL_TOOLS,
  CUMULATIVE_USAGE,
  NO_USAGE,
  NO_DONE,
};
