/** The engine of a vault that does not listen, with one funded agent. */
import { randomBytes } from 'node:crypto';
import { createIdSource, msat } from '../../../packages/shared/src/index.ts';
import { newAgentToken, tokenHash } from '../../../packages/vault/src/agent/token.ts';
import { isRefusal } from '../../../packages/vault/src/errors.ts';
import type { Command } from '../../../packages/vault/src/ledger/command.ts';
import { createVault, type VaultDeps } from '../../../packages/vault/src/vault.ts';

const SECRET = 'bench'.repeat(8);

const DEPOSIT = msat(1_000_000_000_000);
const HELD = msat(2_500);
const CHARGED = msat(1_234);
const MODEL = 'gpt-4o-mini';

/** Resolves with a function that executes the next command: a reserve and its settle in turns. */
export async function openEngine(path: string): Promise<() => () => Promise<void>> {
  const newId = createIdSource(Date.now, randomBytes);
  const log = { error: fail, fatal: fail, warn() {}, info() {} } as unknown as VaultDeps['log'];
  const { engine } = await createVault(
    {
      adminToken: SECRET,
      internalToken: SECRET,
      host: '127.0.0.1',
      port: 0,
      logLevel: 'silent',
      agentRateLimitRps: 0,
      databasePath: path,
      auditKey: null,
      auditCheckpointMs: 0,
      auditCheckpointFolder: `${path}.checkpoints`,
      payoutDailyCapMsat: msat(1_000_000_000),
      simulatedWalletScript: null,
      webhook: null,
      networks: [],
    },
    {
      clock: { now: Date.now, elapsed: () => Math.floor(performance.now()) },
      randomBytes,
      log,
      requestLog: log,
      exit: fail,
    },
  );

  async function execute(command: Command): Promise<void> {
    const outcome = await engine.execute(command);
    if (isRefusal(outcome)) throw new Error(`${command.kind}: ${outcome.message}`);
  }

  const agentId = newId('agent');
  const hash = tokenHash(newAgentToken(randomBytes));
  const correlationId = 'bench';
  await execute({
    kind: 'create_agent',
    replayKey: undefined,
    agentId,
    name: 'bench',
    metadata: {},
    token: { id: newId('agentToken'), hash, scopes: ['spend'] },
    policy: { versionId: newId('policyVersion'), change: {} },
    correlationId,
  });
  const transactionId = newId('transfer');
  await execute({
    kind: 'credit',
    replayKey: undefined,
    agentId,
    amount: DEPOSIT,
    transactionId,
    correlationId,
  });

  return () => {
    let open: string | null = null;
    return () => {
      if (open !== null) {
        const reservationId = open;
        open = null;
        return execute({
          kind: 'settle',
          reservationId,
          asked: CHARGED,
          usage: { tokens_in: 112, tokens_out: 63, provider: 'alpha', latency_ms: 7 },
          agentId,
          correlationId,
          model: MODEL,
        });
      }
      open = newId('reservation');
      return execute({
        kind: 'reserve',
        tokenHash: hash,
        amount: HELD,
        correlationId,
        model: MODEL,
        requestedModel: MODEL,
        coreId: 'core_01JBENCH0000000000000000000',
        reservationId: open,
        byCorrelation: false,
        approvalId: newId('approval'),
        holdMs: 60_000,
      });
    };
  };
}

function fail(...what: unknown[]): never {
  throw new Error(`the engine failed: ${JSON.stringify(what)}`);
}
