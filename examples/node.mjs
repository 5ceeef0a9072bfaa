/**
 * A streamed answer and its bill, with the official OpenAI SDK for Node.
 *
 *   ARBSTR_BASE_URL=http://127.0.0.1:8080/v1 ARBSTR_TOKEN=vtk_… node examples/node.mjs [question]
 */
import OpenAI from 'openai';

const { ARBSTR_BASE_URL, ARBSTR_TOKEN, ARBSTR_MODEL = 'gpt-4o-mini' } = process.env;
if (!ARBSTR_BASE_URL || !ARBSTR_TOKEN) {
  process.stderr.write('Set ARBSTR_BASE_URL and ARBSTR_TOKEN; the demo prints both.\n');
  process.exit(1);
}

const client = new OpenAI({ baseURL: ARBSTR_BASE_URL, apiKey: ARBSTR_TOKEN });
const stream = await client.chat.completions.create({
  model: ARBSTR_MODEL,
  messages: [{ role: 'user', content: process.argv[2] ?? 'Hello' }],
  stream: true,
  stream_options: { include_usage: true },
});

let bill;
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '');
  // The last chunk has the usage, and beside it what arbstr adds.
  bill = chunk.arbstr ?? bill;
}
const { cost_msats, provider, usage } = bill;
process.stdout.write(`\n\n${cost_msats} msat to ${provider} for ${usage.total_tokens} tokens\n`);
