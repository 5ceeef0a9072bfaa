/** What chat providers say in several shapes. Nothing here throws. */
import { isObject } from '../openai/json-object.ts';

/** Content is a text, or parts with texts; nothing where it is empty. */
export function textsOf(content: unknown): string[] {
  const texts = Array.isArray(content)
    ? content.map((part) => (isObject(part) ? part.text : part))
    : [content];
  const text = texts.filter((piece) => typeof piece === 'string').join('');
  return text === '' ? [] : [text];
}
