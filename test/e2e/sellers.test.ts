/** From an agent's invoice to a seller's payout, through both services as they ship. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

const DEPOSITED_MSAT = 10_000_000;

let stack: Stack;
let agent: Agent;

beforeAll(async () => {
  stack = await startStack({ providers: [{ name: 'alpha' }] });
  agent = await stack.agent({ fundMsat: 0 });
});
afterAll(() => stack?.stop());

interface Seller {
  readonly payable_msat: number;
  readonly held_msat: number;
}
interface Payout {
  readonly payout_id: string;
  readonly status: string;
  readonly amount_msat: number;
}

const seller = async () =>
  (await stack.asOperator('GET', '/operator/providers/alpha')) as unknown as Seller;
const payouts = async (): Promise<Payout[]> =>
  (await stack.asOperator('GET', '/operator/payouts')).payouts!;

async function asAgent(path: string, body: object): Promise<Record<string, unknown>> {
  const answer = await fetch(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

it('an agent pays in by invoice, asks a seller through core, and the seller is paid', async () => {
  const deposit = await asAgent(`${stack.vault!.url}/agents/me/deposits`, {
    amount_msat: DEPOSITED_MSAT,
  });
  await stack.asOperator('POST', `/operator/simulated/deposits/${deposit.deposit_id}/pay`);
  await stack.asOperator('PUT', '/operator/providers/alpha', {
    payout_destination: 'alpha@pay.example',
    payout_threshold_msat: 1,
  });

  await asAgent(`${stack.core.url}/v1/chat/completions`, {
    model: 'gpt-4o',
    messages: [{ role: 'user', content: 'Say something about the sea, please.' }],
  });
  await until(async () => (await seller()).payable_msat > 0);
  const charged = DEPOSITED_MSAT - (await settled(stack, agent));
  // Without a markup the whole bill is the seller's.
  expect((await seller()).payable_msat).toBe(charged);

  await until(async () => (await payouts()).length === 1);
  const [waiting] = await payouts();
  expect(waiting).toMatchObject({ status: 'waiting', amount_msat: charged });
  await stack.asOperator('POST', `/operator/approvals/${waiting!.payout_id}/approve`);
  await until(async () => (await payouts())[0]?.status === 'succeeded');
  expect(await seller()).toMatchObject({ payable_msat: 0, held_msat: 0 });
  expect(await stack.verify()).toMatchObject({ code: 0 });
});
