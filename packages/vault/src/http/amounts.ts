import { z } from 'zod';
import type { Sums } from '../audit/books-queries.ts';

/** Sums of the ledger's accounts; those of the operator may be below zero. */
export const amounts = z.object({
  agents_available_msat: z.int(),
  agents_held_msat: z.int(),
  sellers_payable_msat: z.int(),
  revenue_msat: z.int(),
  loss_msat: z.int(),
  equity_msat: z.int(),
  fees_msat: z.int(),
});

export const amountsOf = (sums: Sums): z.output<typeof amounts> => ({
  agents_available_msat: sums.agentsAvailable,
  agents_held_msat: sums.agentsHeld,
  sellers_payable_msat: sums.sellersPayable,
  revenue_msat: sums.revenue,
  loss_msat: sums.loss,
  equity_msat: sums.equity,
  fees_msat: sums.fees,
});
