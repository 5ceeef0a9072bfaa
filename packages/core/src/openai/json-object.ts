/** What foreign JSON looks like. Nothing here throws. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * What a call is given or gives back, as text: some send a value, not its JSON. JSON.stringify recurses, so what
 * JSON.parse took may be too deep for it: no arguments then.
 */
export function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
}
