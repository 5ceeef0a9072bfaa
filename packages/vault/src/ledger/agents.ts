import { type Msat, msat } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import type { EventDraft } from '../notify/outbox.ts';
import { policyFields } from '../policy/policy-fields.ts';
import { mergedLimits, type PolicyVersion } from '../policy/spend-policy.ts';
import { canCredit, canDebit } from './account.ts';
import type { CreateAgent, Credit, SetPolicy } from './command.ts';
import { type Decision, type Effect, no, transfer } from './effect.ts';
import type { AgentCreated, Credited, PolicySet } from './outcome.ts';
import { agentDisabled } from './reserve.ts';
import type { LedgerView } from './view.ts';

/** A new agent with its two accounts and first token. Without a policy it may do nothing. */
export function createAgent(
  view: LedgerView,
  command: CreateAgent,
  now: number,
): Decision<AgentCreated> {
  const no = view.nextAgentNo();
  const availableId = view.nextAccountId();
  const heldId = availableId + 1;
  const { token } = command;
  const metadata = JSON.stringify(command.metadata);
  const answer: AgentCreated = { agentId: command.agentId, createdAt: now };
  const effects: Effect[] = [
    {
      effect: 'insert_agent',
      no,
      id: command.agentId,
      name: command.name,
      metadata,
      createdAt: now,
      availableId,
      heldId,
    },
    {
      effect: 'insert_token',
      id: token.id,
      agentNo: no,
      hash: token.hash,
      scopes: token.scopes,
      createdAt: now,
      expiresAt: null,
    },
    {
      effect: 'audit',
      chain: no,
      action: 'AGENT_REGISTERED',
      facts: {
        agent_id: command.agentId,
        correlation_id: command.correlationId,
        name: command.name,
        metadata,
        available_account: availableId,
        held_account: heldId,
        token_id: token.id,
        token_hash: token.hash,
        scopes: token.scopes.join(' '),
      },
    },
  ];
  if (command.policy !== null) {
    const { versionId, change } = command.policy;
    const policy = {
      id: versionId,
      version: 1,
      ...mergedLimits(null, change),
      effectiveFrom: now,
      unreadable: false,
    };
    effects.push(...policyEffects(no, policy, command.correlationId));
  }
  return { outcome: answer, effects };
}

/** A new version of the agent's spend policy, in force for every reserve from now on. */
export function setPolicy(view: LedgerView, command: SetPolicy, now: number): Decision<PolicySet> {
  const agent = view.agentById(command.agentId);
  if (agent === undefined) return no(noSuchAgent());
  if (agent.disabledAt !== null) return no(agentDisabled(agent.id));

  const base = command.mode === 'merge' ? agent.policy : null;
  if (base?.unreadable) {
    return no(
      refuse(
        'invalid_request',
        'the policy in force cannot be read, so nothing can be merged into it; set a whole one',
      ),
    );
  }
  const policy: PolicyVersion = {
    id: command.versionId,
    version: (agent.policy?.version ?? 0) + 1,
    ...mergedLimits(base, command.change),
    effectiveFrom: now,
    unreadable: false,
  };
  const answer: PolicySet = { agentId: agent.id, policy };
  return {
    outcome: answer,
    effects: [...policyEffects(agent.no, policy, command.correlationId)],
  };
}

/** Operator credit: the agent's money is backed by the simulated rail. */
export function credit(view: LedgerView, command: Credit): Decision<Credited> {
  const agent = view.agentById(command.agentId);
  if (agent === undefined) return no(noSuchAgent());
  if (agent.disabledAt !== null) return no(agentDisabled(agent.id));
  const { amount } = command;
  if (!canCredit(agent.available, amount) || !canDebit(view.railSimulated, amount)) {
    return no(
      refuse('invalid_request', 'the deposit would take a balance out of the exact range', {
        param: 'amount_msat',
      }),
    );
  }
  const balance = msat(agent.available.balance + amount);
  const answer: Credited = {
    agentId: agent.id,
    amount,
    balance,
    transactionId: command.transactionId,
  };
  const rail = view.railSimulated.id;
  return {
    outcome: answer,
    effects: [
      ...transfer('credit', rail, agent.available.id, amount, command.transactionId),
      { effect: 'notify', draft: credited(agent.no, command, balance) },
      {
        effect: 'audit',
        chain: agent.no,
        action: 'DEPOSIT',
        facts: {
          transaction_id: command.transactionId,
          correlation_id: command.correlationId,
          amount,
          balance,
        },
      },
    ],
  };
}

const credited = (
  agentNo: number,
  { transactionId, amount, correlationId }: Credit,
  balance: Msat,
): EventDraft => ({
  event: 'deposit_settled',
  agentNo,
  fields: {
    deposit_id: null,
    transaction_id: transactionId,
    type: 'credit',
    amount_msat: amount,
    balance_msat: balance,
    correlation_id: correlationId,
  },
});

function policyEffects(agentNo: number, policy: PolicyVersion, correlationId: string): Effect[] {
  return [
    { effect: 'insert_policy', agentNo, policy },
    {
      effect: 'audit',
      chain: agentNo,
      action: 'POLICY_UPDATED',
      facts: {
        policy_version_id: policy.id,
        correlation_id: correlationId,
        version: policy.version,
        ...policyFields(policy),
      },
    },
  ];
}

export const noSuchAgent = (): Refusal => refuse('not_found', 'no such agent');
