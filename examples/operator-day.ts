/**
 * An operator's day with the vault: make an agent, give it money and limits, watch it, answer its
 * questions, prove the books, back them up.
 *
 *   npx pnpm@12 operator-day
 *
 * runs on a vault of its own (simulated wallet). On yours: VAULT_URL, VAULT_ADMIN_TOKEN, and on its
 * machine DATABASE_PATH for the backup. Everything here exists as a command, too:
 * `node packages/vault/src/main.ts`.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { caller, check, sats, say } from './day/call.ts';
import { liveThrough, type Place } from './day/day.ts';

await liveThrough(async ({ vaultUrl, adminToken, coreUrl, databasePath }: Place) => {
  const operator = caller(vaultUrl, adminToken);

  // An agent without a spend policy may spend nothing, so it gets one at once. A payment above
  // max_transaction_msat is not refused but waits for a human, for ten minutes.
  const made = await operator('POST', '/agents', {
    name: 'researcher',
    policy: {
      max_transaction_msat: 50_000,
      daily_limit_msat: 500_000,
      max_fee_msat: 1_000,
      approval_timeout_ms: 600_000,
    },
  });
  const id: string = made.agent_id;
  say(`${id} exists; its token is shown this once: ${made.token.slice(0, 8)}…`);

  const funded = await operator('POST', `/agents/${id}/deposit`, { amount_msat: 1_000_000 });
  say(`it has ${sats(funded.balance_msat)}`);

  // Where every audit trail stands this morning. It belongs on another machine, out of reach of
  // whoever might rewrite the database: that is all the difference to a copy of it.
  const morning: string = await operator('GET', '/operator/audit/checkpoint');
  say(`keep this elsewhere:\n${morning.trimEnd()}`);

  // PATCH changes what is named and leaves the rest; each version is kept.
  await operator('PATCH', `/operator/agents/${id}/policy`, {
    alert_floor_msat: 990_000,
    allowed_destinations: ['shop@example.com', 'rent@example.com'],
  });

  // Meanwhile the agent works: one payment within its limits, two above them, a question to a model.
  const agent = caller(vaultUrl, made.token);
  const pay = (amount_msat: number, destination: string, purpose: string) =>
    agent('POST', '/agents/me/pay', {
      amount_msat,
      destination_type: 'lightning_address',
      destination,
      purpose,
    });
  const small = await pay(20_000, 'shop@example.com', 'a dataset');
  const large = await pay(120_000, 'shop@example.com', 'a larger dataset');
  const rent = await pay(300_000, 'rent@example.com', 'a GPU for a month');
  check('the small one is paid', small.status === 'SETTLED');
  check('the large ones wait', large.status === 'PENDING_APPROVAL' && rent.approval_id);

  if (coreUrl !== null) await askModel(coreUrl, made.token);

  // Watch: sums of everything, one agent's spend on inference, and where it fell below the floor.
  const { amounts, open } = await operator('GET', '/operator/dashboard');
  say(
    `agents have ${sats(amounts.agents_available_msat)} and ${sats(amounts.agents_held_msat)} on hold; ${open.approvals} questions wait`,
  );
  // Core answers its caller first, and charges at once after.
  const asked = coreUrl === null ? 0 : 1;
  let usage = await operator('GET', `/agents/${id}/usage`);
  for (let n = 0; usage.requests < asked && n < 50; n++) {
    await wait(100);
    usage = await operator('GET', `/agents/${id}/usage`);
  }
  check('its requests are on its bill', usage.requests === asked);
  say(`requests to models: ${usage.requests}, for ${sats(usage.charged_msat)}`);
  const alerts = await operator('GET', `/agents/${id}/history?action_type=BALANCE_ALERT`);
  for (const { metadata } of alerts.entries) say(`alert: only ${sats(metadata.balance)} available`);

  // Answer. What you see is what runs; its money has been held since it was asked for.
  const { approvals } = await operator('GET', `/operator/approvals?agent_id=${id}`);
  for (const { id: approval, amount_msat: amount, destination } of approvals) {
    const verdict = destination === 'shop@example.com' ? 'approve' : 'deny';
    const body = { reason: verdict === 'approve' ? 'worth it' : 'we own a GPU' };
    await operator('POST', `/operator/approvals/${approval}/${verdict}`, body);
    say(`${sats(amount)} to ${destination}: ${verdict}`);
  }
  const statusOf = async (tx: string) =>
    (await operator('GET', `/agents/${id}/payments/${tx}`)).status;
  check('the approved one is paid', (await statusOf(large.transaction_id)) === 'SETTLED');
  check('the denied one is not', (await statusOf(rent.transaction_id)) === 'FAILED');

  // Prove: everybody could be paid out, every row is as it was written, and nothing is missing or
  // rewritten of what was there this morning.
  const { solvent, liabilities_msat } = await operator('GET', '/operator/solvency');
  check('the vault is solvent', solvent);
  const verdict = await operator('POST', '/operator/verify', morning);
  check(`the books are as they were written: ${verdict.findings}`, verdict.ok);
  check('the morning is in them', verdict.checkpoint.set_back_rows === 0);
  say(`solvent (${sats(liabilities_msat)} are owed); ${verdict.auditRows} audit rows verify`);

  // Back up: a verified copy of the running vault. This one reads the file, so it runs beside it.
  if (databasePath === null) return say('no backup: set DATABASE_PATH on the machine of the vault');
  const copy = `${databasePath}.${Date.now()}.backup`;
  const backup = ['packages/vault/src/main.ts', 'backup', copy];
  const env = { ...process.env, DATABASE_PATH: databasePath };
  say(execFileSync(process.execPath, backup, { env, encoding: 'utf8' }).trimEnd());
});

/** As any OpenAI client does it; the agent's token is the API key. */
async function askModel(coreUrl: string, token: string): Promise<void> {
  const answer = await fetch(`${coreUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'gpt-4o-mini',
      max_tokens: 100,
      messages: [{ role: 'user', content: 'What sells?' }],
    }),
  });
  check(`the model answers: ${await answer.text()}`, answer.ok);
}
