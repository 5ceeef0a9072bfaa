/** Everything that the demo says. Amounts come in msat and are shown in sats, three decimals. */
import { styleText } from 'node:util';
import { type Agent, DEPOSIT_MSAT, POLICY } from './agent.ts';
import { type Bill, QUESTION } from './first-request.ts';
import { MODEL, PRICES, type Setup } from './setup.ts';

const WRAP_COLUMN = 96;
const INDENT = '  ';
const VAULT_COMMAND = 'npx -y pnpm@12 exec node packages/vault/src/main.ts';

export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

const title = (text: string): string => styleText('bold', text, { stream: process.stdout });
const quiet = (text: string): string => styleText('dim', text, { stream: process.stdout });

function sats(msat: number): string {
  return `${Math.floor(msat / 1000)}.${String(msat % 1000).padStart(3, '0')}`;
}

export function printStack(setup: Setup, agent: Agent): void {
  const prices = Object.entries(PRICES).map(([name, price]) => `${name} ${price}`);
  say(title('arbstr demo: all on this machine, in a folder that is removed at the end.'));
  say('The wallet is simulated: no real sats move.\n');
  say(`  vault  ${setup.vaultUrl}`);
  say(`  core   ${setup.coreUrl}  sells ${MODEL}: ${prices.join(', ')} sats per 1k tokens`);
  say(
    `  agent  ${agent.id}  has ${DEPOSIT_MSAT / 1000} sats; may spend ${POLICY.max_transaction_msat / 1000} per request, ${POLICY.daily_limit_msat / 1000} per day\n`,
  );
  say(title(`You: ${QUESTION}`));
}

/** Breaks lines between words, because the answer arrives in pieces that no terminal would wrap well. */
export function answerPrinter(): (text: string) => void {
  let column = 0;
  return (text) => {
    for (const word of text.match(/\s*\S+|\s+$/g) ?? []) {
      if (column === 0 || column + word.length > WRAP_COLUMN) {
        process.stdout.write(`${column === 0 ? '' : '\n'}${INDENT}${word.trimStart()}`);
        column = INDENT.length + word.trimStart().length;
      } else {
        process.stdout.write(word);
        column += word.length;
      }
    }
  };
}

export interface Money {
  readonly beforeMsat: number;
  readonly heldMsat: number;
  readonly billMsat: number;
  readonly afterMsat: number;
}

export function printBill({ usage, provider }: Bill, money: Money): void {
  const { prompt_tokens: asked, completion_tokens: answered } = usage;
  const tokens = asked + answered;
  say(`\n${title(`What ${asked} prompt + ${answered} answer tokens cost at each price per 1k`)}`);
  for (const [name, price] of Object.entries(PRICES).sort(([, a], [, b]) => a - b)) {
    // 1 sat per 1,000 tokens is 1 msat per token.
    const line = `  ${name.padEnd(8)}${`at ${price}`.padEnd(8)}${sats(tokens * price).padStart(10)} sats`;
    say(name === provider ? `${line}   the cheapest answered` : quiet(line));
  }
  const { beforeMsat, heldMsat, billMsat, afterMsat } = money;
  const row = (label: string, amount: string, note = '') =>
    say(`  ${label.padEnd(8)}${amount.padStart(18)} sats${note && `   ${note}`}`);
  say(`\n${title("The agent's balance")}`);
  row('before', sats(beforeMsat));
  row('held', `-${sats(heldMsat)}`, 'the most that it could have cost, before it was sent');
  row('refund', `+${sats(heldMsat - billMsat)}`, `the rest; the bill is ${billMsat} msat`);
  row('after', sats(afterMsat));
}

export function printLines(setup: Setup, agent: Agent): void {
  const base = `${setup.coreUrl}/v1`;
  const post = `-H 'authorization: Bearer ${agent.token}' -H 'content-type: application/json'`;
  const body = (rest: string) =>
    `'{"model": "${MODEL}", "messages": [{"role": "user", "content": "Hello"}]${rest}}'`;
  say(`
${title('# Now you, in another terminal. Any OpenAI SDK works with')}
#   base_url ${base}   api_key ${agent.token}

${title('# curl: streamed, whole with headers, and what is left')}
curl -N ${base}/chat/completions ${post} -d ${body(', "stream": true')}
curl -i ${base}/chat/completions ${post} -d ${body('')}
curl ${setup.vaultUrl}/agents/me/balance -H 'authorization: Bearer ${agent.token}'

${title('# Python (pip install openai) and Node, in this folder: both stream and print the bill')}
ARBSTR_BASE_URL=${base} ARBSTR_TOKEN=${agent.token} python3 examples/python.py
ARBSTR_BASE_URL=${base} ARBSTR_TOKEN=${agent.token} node examples/node.mjs

${title('# Operator: the agents, more money for this one, and proof that the books balance')}
export VAULT_URL=${setup.vaultUrl} VAULT_ADMIN_TOKEN=${setup.adminToken}
${VAULT_COMMAND} agents list
${VAULT_COMMAND} deposit ${agent.id} 1000000
DATABASE_PATH=${setup.vaultDatabasePath} ${VAULT_COMMAND} verify

${title('Requests appear here. Ctrl-C ends everything.')}`);
}

/** One line for each request that core logs; null for every other line. */
export function requestLine(logLine: string): string | null {
  let row: Record<string, unknown>;
  try {
    row = JSON.parse(logLine) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (row.msg !== 'request') return null;
  const who = `  ${String(row.provider ?? '-').padEnd(8)}${String(row.requested_model ?? '-').padEnd(14)}`;
  if (typeof row.cost_msat !== 'number') {
    return `${who}${String(row.status)} ${String(row.error_code ?? row.ending)}`;
  }
  const tokens = `${row.input_tokens ?? 0} + ${row.output_tokens ?? 0} tokens`;
  return `${who}${tokens.padEnd(20)}${sats(row.cost_msat).padStart(10)} sats`;
}
