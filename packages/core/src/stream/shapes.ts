/** What providers say in several shapes. Nothing here throws. */
import { isObject, type JsonObject } from '../openai/json-object.ts';

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
