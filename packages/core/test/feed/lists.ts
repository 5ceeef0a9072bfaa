/** Entries of sellers' lists, in the shapes that they really have. */

/** Routstr/routstr-core, `GET /v1/models`: JSON numbers, USD and sats per token. */
export const routstrModel = (more: object = {}) => ({
  id: 'gpt-4o-mini',
  name: 'GPT-4o mini',
  created: 1_721_260_800,
  description: 'A small one.',
  context_length: 128_000,
  architecture: {
    modality: 'text+image->text',
    input_modalities: ['text', 'image'],
    output_modalities: ['text'],
    tokenizer: 'GPT',
    instruct_type: null,
  },
  pricing: pricing(1.5e-7, 6e-7, { input_cache_read: 7.5e-8 }),
  sats_pricing: pricing(0.00015, 0.0006, { input_cache_read: 0.000075, request: 0.001 }),
  per_request_limits: null,
  top_provider: { context_length: 128_000, max_completion_tokens: 16_384, is_moderated: false },
  enabled: true,
  upstream_provider_id: 1,
  canonical_slug: 'openai/gpt-4o-mini',
  alias_ids: ['openai/gpt-4o-mini'],
  forwarded_model_id: 'gpt-4o-mini',
  ...more,
});

export const pricing = (prompt: unknown, completion: unknown, more: object = {}) => ({
  prompt,
  completion,
  request: 0,
  image: 0,
  web_search: 0,
  internal_reasoning: 0,
  input_cache_read: 0,
  input_cache_write: 0,
  max_prompt_cost: 19.2,
  max_completion_cost: 9.8,
  max_cost: 26.5,
  ...more,
});

/** OpenRouter, `GET /api/v1/models`: USD per token as decimal strings. */
export const openrouterModel = (more: object = {}) => ({
  id: 'openai/gpt-4o-mini',
  canonical_slug: 'openai/gpt-4o-mini-2024-07-18',
  hugging_face_id: null,
  name: 'OpenAI: GPT-4o-mini',
  created: 1_721_260_800,
  description: 'A small one.',
  context_length: 128_000,
  architecture: {
    modality: 'text+image->text',
    input_modalities: ['text', 'image', 'file'],
    output_modalities: ['text'],
    tokenizer: 'GPT',
    instruct_type: null,
  },
  pricing: {
    prompt: '0.00000015',
    completion: '0.0000006',
    request: '0',
    image: '0.000217',
    web_search: '0',
    internal_reasoning: '0',
    input_cache_read: '0.000000075',
  },
  top_provider: { context_length: 128_000, max_completion_tokens: 16_384, is_moderated: true },
  per_request_limits: null,
  supported_parameters: ['max_tokens', 'response_format', 'temperature', 'tool_choice', 'tools'],
  ...more,
});

/** Ollama, `GET /v1/models`. */
export const ollamaModel = (id = 'llama3.2:latest') => ({
  id,
  object: 'model',
  created: 1_730_000_000,
  owned_by: 'library',
});

/** Ollama, `POST /api/show`, as far as anybody looks. */
export const ollamaDetails = (capabilities: readonly string[], contextLength = 131_072) => ({
  license: '…',
  modelfile: '…',
  parameters: 'stop    "<|eot_id|>"',
  details: {
    format: 'gguf',
    family: 'llama',
    parameter_size: '3.2B',
    quantization_level: 'Q4_K_M',
  },
  model_info: { 'general.architecture': 'llama', 'llama.context_length': contextLength },
  capabilities,
});

/** Mesh-LLM, `GET /v1/models`. */
export const meshModel = () => ({
  id: 'unsloth/Qwen3-8B-GGUF:Q4_K_M',
  object: 'model',
  created: 1_750_000_000,
  owned_by: 'mesh-llm',
});
