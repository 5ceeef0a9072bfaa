/** What chat providers say in several shapes. Nothing here throws. */
import { isObject } from '../stream/shapes.ts';

/** Some providers send an object, not its JSON; one too deep for JSON.stringify is no arguments. */
export function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
}

/** Content is a text, or parts with texts; nothing where it is empty. */
export function textsOf(content: unknown): string[] {
  const texts = Array.isArray(content)
    ? content.map((part) => (isObject(part) ? part.text : part))
    : [content];
  const text = texts.filter((piece) => typeof piece === 'string').join('');
  return text === '' ? [] : [text];
}
