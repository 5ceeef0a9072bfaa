/** Which routing policy a request is under: the one it names, else one whose keywords it has, else none. Pure. */
import type { PoliciesConfig, PolicyRule } from '../config/types.ts';
import { type Refusal, refuse } from '../errors.ts';

export interface Selected {
  readonly kind: 'selected';
  readonly rule: PolicyRule | null;
  /** Named by the caller: it binds. Guessed from keywords it may only narrow. */
  readonly named: boolean;
}

/** `text`: the last user message; asked for only where keywords may decide. */
export function selectPolicy(
  { rules }: PoliciesConfig,
  name: string | null,
  text: () => string,
): Selected | Refusal {
  if (name !== null) {
    const rule = rules.find((known) => known.name === name);
    if (rule !== undefined) return { kind: 'selected', rule, named: true };
    return unknownPolicy(name, rules);
  }
  const guessing = rules.filter(({ keywords }) => keywords !== null);
  if (guessing.length === 0) return { kind: 'selected', rule: null, named: false };
  const asked = text();
  const rule = guessing.find(({ keywords }) => keywords!.test(asked)) ?? null;
  return { kind: 'selected', rule, named: false };
}

function unknownPolicy(name: string, rules: readonly PolicyRule[]): Refusal {
  const known =
    rules.length === 0
      ? 'None is configured.'
      : `There are: ${rules.map((rule) => rule.name).join(', ')}.`;
  return refuse(
    'unknown_policy',
    `There is no policy ${JSON.stringify(name.slice(0, 128))}. ${known} Correct X-Arbstr-Policy, or leave it out.`,
    { param: 'X-Arbstr-Policy' },
  );
}
