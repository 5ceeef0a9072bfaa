/**
 * Deep read-only values. `Object.freeze` does not stop `Map.set` and `Set.add`, and a map of
 * prices that some later code could edit in place would change bills that are under way.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) {
    for (const entry of value.values()) deepFreeze(entry);
    return forbid(value, ['set', 'delete', 'clear']);
  }
  if (value instanceof Set) return forbid(value, ['add', 'delete', 'clear']);
  for (const child of Object.values(value)) deepFreeze(child);
  return Object.freeze(value);
}

function forbid<T extends object>(value: T, methods: readonly string[]): T {
  const refuse = (): never => {
    throw new TypeError('the configuration is read-only');
  };
  for (const method of methods) Object.defineProperty(value, method, { value: refuse });
  return Object.freeze(value);
}
