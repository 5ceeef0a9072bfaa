import type { App } from './app-type.ts';
import type { VaultParts } from './parts.ts';
import { takeReplayKeys } from './replay-key.ts';
import { agentRoutes } from './routes/agent.ts';
import { agentUsageRoutes } from './routes/agent-usage.ts';
import { agentApprovalRoutes, operatorApprovalRoutes } from './routes/approvals.ts';
import { billingRoutes } from './routes/billing.ts';
import { depositRoutes } from './routes/deposits.ts';
import { healthRoutes } from './routes/health.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { operatorAgentRoutes } from './routes/operator-agents.ts';
import { operatorBooksRoutes } from './routes/operator-books.ts';
import { operatorPolicyRoutes } from './routes/operator-policy.ts';
import { operatorTokenRoutes } from './routes/operator-tokens.ts';
import { operatorVerifyRoutes } from './routes/operator-verify.ts';
import { operatorWithdrawalRoutes } from './routes/operator-withdrawals.ts';
import { paymentRoutes } from './routes/payments.ts';
import { payoutRoutes } from './routes/payouts.ts';
import { recoveryRoutes } from './routes/recovery.ts';
import { reservationRoutes } from './routes/reservations.ts';
import { simulatedDepositRoutes } from './routes/simulated.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { refuseTheUnknown } from './strict.ts';

/** Every route, each group with its own authentication. */
export async function vaultRoutes(app: App, parts: VaultParts): Promise<void> {
  refuseTheUnknown(app);
  takeReplayKeys(app);
  await app.register(metricsRoutes, parts);
  await app.register(healthRoutes, parts);
  await app.register(billingRoutes, { ...parts, prefix: '/internal' });
  await app.register(reservationRoutes, { ...parts, prefix: '/internal' });
  await app.register(operatorAgentRoutes, parts);
  await app.register(operatorPolicyRoutes, parts);
  await app.register(operatorTokenRoutes, parts);
  await app.register(operatorApprovalRoutes, parts);
  await app.register(operatorWithdrawalRoutes, parts);
  await app.register(webhookRoutes, parts);
  await app.register(recoveryRoutes, parts);
  await app.register(operatorBooksRoutes, parts);
  await app.register(operatorVerifyRoutes, parts);
  await app.register(agentRoutes, parts);
  await app.register(agentUsageRoutes, parts);
  await app.register(depositRoutes, parts);
  await app.register(simulatedDepositRoutes, parts);
  await app.register(payoutRoutes, parts);
  await app.register(agentApprovalRoutes, parts);
  await app.register(paymentRoutes, parts);
}
