/** `agents policy`: an agent's limits, as they are, were and shall be. */
import { type Fields, LIMITS, showField } from './agent-options.ts';
import { listAll, type OperatorClient } from './client.ts';
import type { Print } from './print.ts';
import { type Column, fields, iso, table } from './table.ts';

export type Policy = { version: number; effective_from: number } & Record<string, unknown>;

const fieldOf = (option: string): string => option.replaceAll('-', '_');

/** Changes the limits that are named; where none is, shows them and changes nothing. */
export async function policyOf(
  client: OperatorClient,
  print: Print,
  id: string,
  change: Fields,
): Promise<void> {
  const path = `/agents/${encodeURIComponent(id)}`;
  if (Object.keys(change).length === 0) {
    const { policy } = await client.call<{ policy: Policy | null }>('GET', path);
    print({ agent_id: id, policy }, policyLines(policy));
    return;
  }
  const changed = await client.call<{ policy: Policy }>('PATCH', `/operator${path}/policy`, change);
  print(changed, policyLines(changed.policy));
}

export function policyLines(policy: Policy | null): string[] {
  if (policy === null) return ['no policy yet: it may spend nothing'];
  const limits = LIMITS.map((option) => {
    const field = fieldOf(option);
    return [option, showField(field, policy[field])] as const;
  });
  return [
    `policy version ${policy.version}, since ${iso(policy.effective_from)}`,
    ...fields(limits),
  ];
}

const VERSIONS: readonly Column<Policy>[] = [
  { head: 'VERSION', of: ({ version }) => String(version), right: true },
  { head: 'SINCE', of: ({ effective_from }) => iso(effective_from) },
  {
    head: 'LIMITS',
    of: (policy) => {
      const named = LIMITS.filter((option) => (policy[fieldOf(option)] ?? null) !== null);
      const limits = named.map((option) => {
        const field = fieldOf(option);
        return `${option} ${showField(field, policy[field])}`;
      });
      return limits.join(', ') || 'no limits';
    },
  },
];

export async function policyVersions(
  client: OperatorClient,
  print: Print,
  id: string,
): Promise<void> {
  const path = `/agents/${encodeURIComponent(id)}/policy/versions`;
  const versions = await listAll<Policy>(client, path, 'versions');
  print({ versions }, versions.length === 0 ? policyLines(null) : table(VERSIONS, versions));
}
