import type { App } from './app-type.ts';
import type { VaultParts } from './parts.ts';
import { agentRoutes } from './routes/agent.ts';
import { healthRoutes } from './routes/health.ts';
import { internalRoutes } from './routes/internal.ts';
import { operatorAgentRoutes } from './routes/operator-agents.ts';
import { operatorPolicyRoutes } from './routes/operator-policy.ts';

/** Every route, each group with its own authentication. */
export async function vaultRoutes(app: App, parts: VaultParts): Promise<void> {
  await app.register(healthRoutes, parts);
  await app.register(internalRoutes, { ...parts, prefix: '/internal' });
  await app.register(operatorAgentRoutes, parts);
  await app.register(operatorPolicyRoutes, parts);
  await app.register(agentRoutes, parts);
}
