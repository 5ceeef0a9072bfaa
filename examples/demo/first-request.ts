/** The first request, as any program would send it: the official OpenAI SDK, streaming. */
import OpenAI from 'openai';
import type { Agent } from './agent.ts';
import { DemoError } from './demo-error.ts';
import { MODEL, type Setup } from './setup.ts';

export const QUESTION = 'Why should an agent care what a token costs?';

/** What core adds to the usage chunk of a stream. */
export interface Bill {
  readonly cost_msats: number;
  readonly provider: string;
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

export interface FirstAnswer {
  readonly bill: Bill;
  /** Available to the agent while the request ran. */
  readonly availableWhileHeldMsat: number;
}

/** `onText` gets the answer as it arrives. */
export async function ask(
  setup: Setup,
  agent: Agent,
  onText: (text: string) => void,
): Promise<FirstAnswer> {
  const client = new OpenAI({ baseURL: `${setup.coreUrl}/v1`, apiKey: agent.token });
  const { data: stream, response } = await client.chat.completions
    .create({
      model: MODEL,
      messages: [{ role: 'user', content: QUESTION }],
      stream: true,
      stream_options: { include_usage: true },
    })
    .withResponse();
  let bill: Bill | undefined;
  for await (const chunk of stream) {
    onText(chunk.choices[0]?.delta.content ?? '');
    bill = (chunk as { arbstr?: Bill }).arbstr ?? bill;
  }
  const during = response.headers.get('x-arbstr-balance-sats');
  if (bill === undefined || during === null) throw new DemoError('the answer came without a bill');
  return { bill, availableWhileHeldMsat: Math.round(Number(during) * 1000) };
}
