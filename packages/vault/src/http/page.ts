/** Cursors: opaque to callers, checked when they come back. */
import { z } from 'zod';
import { VaultError } from '../errors.ts';
import { PAGE_DEFAULT, PAGE_MAX } from './limits.ts';

export interface Page<T> {
  readonly items: T[];
  /** Where the next page begins, or null at the end. */
  readonly next: string | null;
}

export const limitSchema = (max: number, byDefault: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int({ error: 'must be an integer' })
    .min(1, { error: 'must be at least 1' })
    .max(max, { error: `must be at most ${max}` })
    .default(byDefault);

export const pageQuery = {
  cursor: z.string().max(200).optional(),
  limit: limitSchema(PAGE_MAX, PAGE_DEFAULT),
} as const;

export function encodeCursor(list: string, position: string | number): string {
  return Buffer.from(`${list}:${position}`).toString('base64url');
}

/** The position in a cursor of this list; 400 for anything else. */
export function decodeCursor(list: string, cursor: string, position: RegExp): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  const found = text.startsWith(`${list}:`) ? text.slice(list.length + 1) : '';
  if (!position.test(found) || encodeCursor(list, found) !== cursor) {
    throw new VaultError('invalid_cursor', 'this cursor does not belong to this list', {
      param: 'cursor',
    });
  }
  return found;
}

/** A page of what was found with one more than its limit. */
export function pageOf<T>(
  list: string,
  found: readonly T[],
  limit: number,
  positionOf: (item: T) => string | number,
): Page<T> {
  const items = found.slice(0, limit);
  const next = found.length > limit ? encodeCursor(list, positionOf(items.at(-1)!)) : null;
  return { items, next };
}

export function pageBody<K extends string, T>(plural: K, page: Page<T>) {
  return {
    [plural]: page.items,
    next_cursor: page.next,
    has_more: page.next !== null,
  } as Record<K, T[]> & { next_cursor: string | null; has_more: boolean };
}
