/** Lists of known words in a provider's table. */
import { ENDPOINTS, type Endpoint } from '../openai/api-request.ts';
import { ALLOWABLE_PARAMS } from '../openai/refused-params.ts';
import { nearest } from './nearest.ts';
import type { TableReader } from './read-table.ts';

/** Chat alone unless the file says otherwise: an endpoint that is not there would cost an attempt. */
export function readEndpoints(table: TableReader): ReadonlySet<Endpoint> {
  const texts = table.texts('endpoints') ?? ['chat'];
  const isEndpoint = (text: string): text is Endpoint =>
    (ENDPOINTS as readonly string[]).includes(text);
  for (const text of texts.filter((text) => !isEndpoint(text))) {
    const guess = nearest(text, ENDPOINTS);
    const fix = guess === null ? `known: ${ENDPOINTS.join(', ')}` : `did you mean "${guess}"?`;
    table.problem('endpoints', `"${text}" is not an endpoint; ${fix}`);
  }
  if (texts.length === 0) {
    table.problem('endpoints', 'endpoints is empty; write endpoints = ["chat"], or remove it');
  }
  return new Set(texts.filter(isEndpoint));
}

/** A word with a slip in it would allow nothing, and be noticed at the first refused request. */
export function readAllowParams(table: TableReader): readonly string[] {
  const names = table.texts('allow_params') ?? [];
  for (const name of names.filter((name) => !ALLOWABLE_PARAMS.includes(name))) {
    const guess = nearest(name, ALLOWABLE_PARAMS);
    const fix =
      guess === null ? `refused are ${ALLOWABLE_PARAMS.join(', ')}` : `did you mean "${guess}"?`;
    table.warn('allow_params', `"${name}" is a parameter that passes anyway; ${fix}`);
  }
  return names;
}
