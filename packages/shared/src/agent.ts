import { z } from 'zod';
import { idSchema } from './ids.ts';

/** 256 random bits in base64url. Only its SHA-256 is stored. */
export const AGENT_TOKEN_PATTERN = /^vtk_[A-Za-z0-9_-]{43}$/;

export const agentScopeSchema = z.enum(['spend', 'read']);
export type AgentScope = z.output<typeof agentScopeSchema>;

export const authenticateRequestSchema = z.strictObject({ agent_token: z.string().max(256) });

export const authenticateAnswerSchema = z.object({
  agent_id: idSchema('agent'),
  scopes: z.array(agentScopeSchema),
  /** Models that the spend policy allows; null = every model. */
  allowed_models: z.array(z.string()).nullable(),
  /** Version of the policy in force; 0 = the agent has none and may spend nothing. */
  policy_version: z.int(),
});
export type AuthenticateAnswer = z.output<typeof authenticateAnswerSchema>;
