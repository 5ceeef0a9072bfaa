/** What the callers ask. Everything that the provider looks for stands at the beginning. */

const SYSTEM =
  'You are a helpful assistant. Answer in plain words, at most three short paragraphs, and say so where you do not know something. Do not repeat the question.';
const QUESTION =
  'I run a small web shop on one server and want to move it to another provider without losing orders. The shop has a database of about two gigabytes, pictures of about forty gigabytes and some scheduled jobs. Customers order at all hours. What is the order of steps that you would take, what would you test before the switch, and how long should I expect the shop to be read-only?';

export type AnswerKind = 'whole' | 'stream' | 'packets';

/** `model` also tells the provider how to send a stream. */
export const MODELS: Readonly<Record<AnswerKind, string>> = {
  whole: 'gpt-4o-mini',
  stream: 'gpt-4o-mini',
  packets: 'bench-packets',
};

export function chatBody(kind: AnswerKind, question = QUESTION): string {
  return JSON.stringify({
    model: MODELS[kind],
    ...(kind === 'whole' ? {} : { stream: true }),
    max_tokens: 128,
    temperature: 0.2,
    messages: [
      { role: 'system', content: SYSTEM },
      { role: 'user', content: question },
    ],
  });
}

/** A prompt of 64 KiB, as an agent sends it that carries its history along. */
export const LONG_QUESTION = `${QUESTION}\n`.repeat(Math.ceil((64 * 1024) / QUESTION.length));

/** Tokens of the two prompts (o200k_base, messages' overhead included), as the provider reports them. */
export const PROMPT_TOKENS = { short: 125, long: 14_138 };
