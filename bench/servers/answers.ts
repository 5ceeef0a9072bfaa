/** What the provider says: fixed bytes whose reported usage is what the text really has. */

const MODEL = 'gpt-4o-mini';
const CREATED = 1_700_000_000;
/** Words of one token each (o200k_base). */
const WORDS =
  'the answer to your question is that most of the time people want a short and clear text which says what they need to know and then ends so here it is without any more words than it takes to make this point well and in the end we all have more time for the work that we like to do each day'.split(
    ' ',
  );
/** Data events of a stream, [DONE] included: role, pieces, finish reason, usage, [DONE]. */
export const STREAM_EVENTS = 67;
const PIECES = WORDS.slice(0, STREAM_EVENTS - 4).map((word, nth) =>
  nth === 0 ? word : ` ${word}`,
);

const usage = (promptTokens: number) => ({
  prompt_tokens: promptTokens,
  completion_tokens: PIECES.length,
  total_tokens: promptTokens + PIECES.length,
});

export function wholeAnswer(promptTokens: number): string {
  return JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: CREATED,
    model: MODEL,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: PIECES.join(''), refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: usage(promptTokens),
    system_fingerprint: 'fp_bench',
  });
}

/** One string per event, its blank line included. */
export function streamEvents(promptTokens: number): readonly string[] {
  const choice = (delta: object, finish_reason: string | null) => ({
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    usage: null,
  });
  const chunks: object[] = [
    choice({ role: 'assistant', content: '', refusal: null }, null),
    ...PIECES.map((content) => choice({ content }, null)),
    choice({}, 'stop'),
    { choices: [], usage: usage(promptTokens) },
  ];
  const events = chunks.map((chunk) =>
    JSON.stringify({
      id: 'chatcmpl-bench',
      object: 'chat.completion.chunk',
      created: CREATED,
      model: MODEL,
      system_fingerprint: 'fp_bench',
      ...chunk,
    }),
  );
  return [...events, '[DONE]'].map((data) => `data: ${data}\n\n`);
}
