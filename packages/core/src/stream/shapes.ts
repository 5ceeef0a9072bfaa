/** What foreign JSON looks like. Nothing here throws. */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isFilledObject(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length > 0;
}

/** OpenAI and most `error`; vLLM `object: "error"`; Routstr and FastAPI `detail` instead of choices. */
export function isErrorBody(body: JsonObject): boolean {
  if (isError(body.error) || body.object === 'error') return true;
  return body.choices === undefined && isError(body.detail);
}

export const isError = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && value !== '';
