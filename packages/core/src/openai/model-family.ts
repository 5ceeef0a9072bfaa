/**
 * What the name of a model says where nothing is configured. OpenAI's reasoning models refuse
 * `max_tokens` and want `max_completion_tokens`, and report tokens that they do not show
 * (platform.openai.com/docs/guides/reasoning).
 */
export function isOpenAiReasoningModel(model: string): boolean {
  const bare = model.slice(model.lastIndexOf('/') + 1);
  return /^(o[1-9](-|$)|gpt-5)/.test(bare);
}
