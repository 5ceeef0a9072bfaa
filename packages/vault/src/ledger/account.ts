/**
 * Accounts. A balance is credits minus debits, so Σ balances = 0 at any time: what we owe agents
 * and what we earned is positive, what backs it (rails) and what we lost is negative.
 */
import { MSAT_MAX } from '@arbstr/shared';

export interface Account {
  readonly id: number;
  /** credit: never below zero. debit: never above. */
  readonly normal: 'credit' | 'debit';
  readonly balance: number;
}

/** The accounts that every ledger has, made by migrations. */
export const SHARED_ACCOUNTS = {
  /** What backs the agents' credit while no real rail is connected. */
  railSimulated: { id: 1, name: 'rail:simulated', normal: 'debit' },
  /** What was charged. */
  revenue: { id: 2, name: 'operator:revenue', normal: 'credit' },
  /** Bills that came after their hold had gone back and that the agent could not pay any more. */
  loss: { id: 3, name: 'operator:loss', normal: 'debit' },
  /** What the operator took back from agents. */
  equity: { id: -1, name: 'operator:equity', normal: 'credit' },
  /** What payments on this rail have cost in fees; the rail holds that much less. */
  feesSimulated: { id: -2, name: 'fees:simulated', normal: 'credit' },
  /** Between two agents, inside one tx; empty before and after. */
  transit: { id: -3, name: 'transit:internal', normal: 'credit' },
} as const;

export const payableName = (seller: string): string => `provider:${seller}:payable`;
export const payoutHeldName = (seller: string): string => `provider:${seller}:held`;
export const availableName = (agentId: string): string => `agent:${agentId}:available`;
export const heldName = (agentId: string): string => `agent:${agentId}:held`;

/** Whether the account can be debited `amount` and stay exact and on its side of zero. */
export function canDebit(account: Account, amount: number): boolean {
  const floor = account.normal === 'credit' ? 0 : -MSAT_MAX;
  return account.balance - amount >= floor;
}

/** Whether the account can be credited `amount` and stay exact and on its side of zero. */
export function canCredit(account: Account, amount: number): boolean {
  const ceiling = account.normal === 'credit' ? MSAT_MAX : 0;
  return account.balance + amount <= ceiling;
}
