/** `recovery finish`: a restored vault goes on. */
import { createOperatorClient } from './client.ts';
import { mustConfirm, type Terminal } from './confirm.ts';
import { CHANGING, FLAG, operands, parseOptions, UsageError } from './options.ts';
import { printer } from './print.ts';

export async function recoveryCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null,
): Promise<number> {
  const { values, positionals } = parseOptions(args, { ...CHANGING, force: FLAG });
  if (operands(positionals, ['finish'])[0] !== 'finish') throw new UsageError('needs finish');
  const client = createOperatorClient(environment, values['idempotency-key']);
  await mustConfirm({ yes: values.yes, terminal }, () => [
    'The vault will hold and pay again, and send what its backup had under way.',
    'Before: every core has undelivered_settlements 0, and what the wallet paid and which tokens',
    'were revoked since the backup is known and booked (see the runbook).',
    ...(values.force
      ? ['It will not wait for what the wallet says of payments of the backup.']
      : []),
  ]);
  const path = '/operator/recovery/finish';
  const answer = await client.call<{ ledger_epoch: string }>(
    'POST',
    path,
    values.force ? { force: true } : undefined,
  );
  printer(values.json)(answer, [
    `recovery is finished; the vault holds and pays again (${answer.ledger_epoch})`,
  ]);
  return 0;
}
