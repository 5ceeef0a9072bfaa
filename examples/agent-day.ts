/**
 * An agent's day with its account: what it has, money in, money out, a question to its human, and
 * inference that it pays for itself.
 *
 *   npx pnpm@12 agent-day
 *
 * runs on a vault and a core of its own (simulated wallet, mock providers). On yours: VAULT_URL,
 * VAULT_ADMIN_TOKEN (to make the agents and to be the human), and CORE_URL for inference. With a
 * wallet that is not simulated the deposit waits for somebody to pay it, and INVOICE names one.
 */
import { setTimeout as wait } from 'node:timers/promises';
import OpenAI from 'openai';
import { type Answer, type Call, caller, check, sats, say } from './day/call.ts';
import { liveThrough, type Place } from './day/day.ts';
import { invoiceOf } from './day/shop.ts';

const WAIT_MS = 200;
const WAITS_MAX = 150;

await liveThrough(async ({ vaultUrl, adminToken, coreUrl }: Place) => {
  // Not the agent's part: its operator makes two agents and gives this one limits and a start.
  const operator = caller(vaultUrl, adminToken);
  const policy = { max_transaction_msat: 100_000, approval_timeout_ms: 600_000 };
  const { token, agent_id: myId } = await operator('POST', '/agents', { name: 'writer', policy });
  const other = await operator('POST', '/agents', { name: 'translator', policy: {} });
  await operator('POST', `/agents/${myId}/deposit`, { amount_msat: 500_000 });

  // From here on one token is all that it needs. `me` is whoever the token belongs to.
  const me = caller(vaultUrl, token);
  const balance = async (): Promise<number> => (await me('GET', '/agents/me/balance')).balance_msat;
  say(`I have ${sats(await balance())}`);

  // Money in: an invoice that anybody may pay. A simulated one is paid when the operator says so.
  const deposit = await me('POST', '/agents/me/deposits', { amount_msat: 250_000 });
  say(`pay me: ${deposit.payment_request.slice(0, 24)}…`);
  await operator('POST', `/operator/simulated/deposits/${deposit.deposit_id}/pay`);
  await until(me, `/agents/me/deposits/${deposit.deposit_id}`, 'pending');
  check('the deposit came in', (await balance()) === 750_000);

  // Money out. To another agent it is a move within the vault: at once, without a fee.
  const gift = await me('POST', '/agents/me/pay', {
    amount_msat: 5_000,
    destination_type: 'internal',
    destination: other.agent_id,
    purpose: 'a translation',
  });
  say(`${sats(gift.amount_msat)} to ${gift.destination}: ${gift.status}`);

  // An invoice says its own amount. On a real network this one comes from whoever sells.
  const paid = await me('POST', '/agents/me/pay', {
    destination_type: 'lightning_invoice',
    destination: process.env.INVOICE ?? invoiceOf(30_000, 'a map'),
    purpose: 'a map for the book',
  });
  // Where the answer is PENDING nobody knows yet; the money stays held until somebody does.
  const ended = await until(me, `/agents/me/payments/${paid.transaction_id}`, 'PENDING');
  check('the invoice is paid', ended.status === 'SETTLED');
  say(`${sats(ended.amount_msat)} by invoice: ${ended.status}`);

  // Above the limit a human is asked. The money is held meanwhile, and goes back if they deny.
  const asked = await me('POST', '/agents/me/pay', {
    amount_msat: 200_000,
    destination_type: 'lightning_address',
    destination: 'printer@example.com',
    purpose: 'printing the book',
  });
  check('a human is asked', asked.status === 'PENDING_APPROVAL');
  say(`${sats(200_000)} to ${asked.destination}: ${asked.reason}; waiting for a human`);
  const human = operator('POST', `/operator/approvals/${asked.approval_id}/approve`);
  const answered = await until(me, `/agents/me/payments/${asked.transaction_id}`, 'PENDING');
  await human;
  check('the human said yes', answered.status === 'SETTLED');
  say(`${answered.status}, with a fee of ${sats(answered.fee_msat ?? 0)}`);

  // Inference: the same token is the API key of any OpenAI client.
  if (coreUrl !== null) {
    const before = await balance();
    const openai = new OpenAI({ baseURL: `${coreUrl}/v1`, apiKey: token });
    const { data, response } = await openai.chat.completions
      .create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'A title, please.' }] })
      .withResponse();
    say(`${data.choices[0]?.message.content}`);
    say(`for ${response.headers.get('x-arbstr-cost-sats')} sats`);
    // Core answers first and charges at once after.
    for (let n = 0; (await balance()) === before && n < WAITS_MAX; n++) await wait(WAIT_MS);
    check('it was charged', (await balance()) < before);
  }

  say(`I have ${sats(await balance())} left. What happened:`);
  const { entries } = await me('GET', '/agents/me/history?order=asc&limit=100');
  for (const { action, amount_msat: amount } of entries) {
    say(`  ${action}${amount === null ? '' : ` ${sats(amount)}`}`);
  }
});

/** Asks again until it is something else than pending; gives up after half a minute. */
async function until(call: Call, path: string, pending: string): Promise<Answer> {
  for (let n = 0; n < WAITS_MAX; n++) {
    const answer = await call('GET', path);
    if (!answer.status.startsWith(pending)) return answer;
    await wait(WAIT_MS);
  }
  throw new Error(`${path} is still ${pending}`);
}
