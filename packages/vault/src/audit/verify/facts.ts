/** Reads typed values out of the facts of an audit row; a wrong type is a finding, not a crash. */
export class FactsError extends Error {}

type Facts = Readonly<Record<string, unknown>>;

export function text(facts: Facts, key: string): string {
  const value = facts[key];
  if (typeof value !== 'string') throw new FactsError(`${key} is not a text`);
  return value;
}

export function optionalText(facts: Facts, key: string): string | null {
  return facts[key] === undefined || facts[key] === null ? null : text(facts, key);
}

export function integer(facts: Facts, key: string): number {
  const value = facts[key];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new FactsError(`${key} is not an integer`);
  }
  return value;
}

export function optionalInteger(facts: Facts, key: string): number | null {
  return facts[key] === undefined || facts[key] === null ? null : integer(facts, key);
}

export function transferIds(facts: Facts): number[] {
  const ids = facts.transfers ?? [];
  if (!Array.isArray(ids) || !ids.every((id) => Number.isSafeInteger(id))) {
    throw new FactsError('transfers is not a list of ids');
  }
  return ids;
}

/** A list of texts, as the tables keep it. */
export function optionalList(facts: Facts, key: string): string | null {
  const list = facts[key];
  if (list === undefined || list === null) return null;
  if (!Array.isArray(list) || !list.every((name) => typeof name === 'string')) {
    throw new FactsError(`${key} is not a list of texts`);
  }
  return JSON.stringify(list);
}
