/** Applies what decisions change of payments, approvals and rails. */
import { changedOne } from './changed-one.ts';
import type { PaymentEffect } from './effect.ts';
import { approvalRow, paymentRow, type RailRow } from './payment-rows.ts';
import type { Statements } from './statements.ts';
import type { RailState } from './view.ts';

export function applyPaymentEffect(sql: Statements, effect: PaymentEffect): void {
  switch (effect.effect) {
    case 'insert_payment':
      sql.insertPayment.run(paymentRow(effect.payment));
      return;
    case 'change_payment':
      changedOne(sql.changePayment.run({ ...paymentRow(effect.payment), from: effect.from }));
      return;
    case 'insert_approval':
      sql.insertApproval.run(approvalRow(effect.approval));
      return;
    case 'resolve_approval':
      changedOne(sql.resolveApproval.run(approvalRow(effect.approval)));
      return;
    case 'set_rail': {
      const { name, frozenAt, reason } = effect.rail;
      sql.upsertRail.run({ name, frozen_at: frozenAt, reason });
      return;
    }
  }
}

export const railOf = (row: RailRow): RailState => ({
  name: row.name,
  frozenAt: row.frozen_at,
  reason: row.reason,
});
