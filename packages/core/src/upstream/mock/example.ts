/** Objects that one schema may ask for before its example is cut short. */
const DEPTH_MAX = 8;

/** A value that fits a JSON schema, as far as a mock needs it: arguments of a tool, a structured answer. */
export function exampleOf(schema: unknown, text: string, depth = 0): unknown {
  if (typeof schema !== 'object' || schema === null || depth > DEPTH_MAX) return {};
  const s = schema as Record<string, unknown>;
  if (s.const !== undefined) return s.const;
  if (Array.isArray(s.enum)) return s.enum[0];
  const alternatives = s.anyOf ?? s.oneOf;
  if (Array.isArray(alternatives)) return exampleOf(alternatives[0], text, depth + 1);
  switch (Array.isArray(s.type) ? s.type[0] : s.type) {
    case 'string':
      return text;
    case 'integer':
    case 'number':
      return typeof s.minimum === 'number' ? s.minimum : 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return [exampleOf(s.items, text, depth + 1)];
    default: {
      const properties = Object.entries((s.properties ?? {}) as Record<string, unknown>);
      return Object.fromEntries(
        properties.map(([key, child]) => [key, exampleOf(child, text, depth + 1)]),
      );
    }
  }
}
