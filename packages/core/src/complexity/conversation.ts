/**
 * What a conversation says about its last user turn: the turn's text, the user turns before it, and
 * how much there is in all. Visits a bounded number of messages and parts from the end, so that a
 * request of 100,000 messages costs what one of MESSAGES_READ does.
 */
import type { JsonObject } from '../openai/json-object.ts';
import { SAMPLE_CHARS, SAMPLE_HEAD_CHARS, SAMPLE_TAIL_CHARS } from './scan.ts';

export const MESSAGES_READ = 64;
export const PARTS_READ = 32;
/** User turns before the last whose text is read. */
export const EARLIER_TURNS = 2;

export interface Conversation {
  /** Text of the last user turn; of the last message where no user speaks in what is read. */
  readonly turn: string;
  /** Of the user turns before, latest first. */
  readonly earlier: readonly string[];
  /** User and assistant messages, of all that were sent. */
  readonly messages: number;
  /** Characters of text of the messages that were read. */
  readonly chars: number;
  /** Tool results among the messages that were read. */
  readonly toolResults: number;
}

export function conversationOf(messages: readonly JsonObject[]): Conversation {
  const turns: string[] = [];
  let chars = 0;
  let toolResults = 0;
  const first = Math.max(0, messages.length - MESSAGES_READ);
  for (let i = messages.length - 1; i >= first; i--) {
    const { role, content } = messages[i]!;
    chars += charsOf(content);
    if (role === 'tool' || role === 'function') toolResults++;
    if (role === 'user' && turns.length <= EARLIER_TURNS) turns.push(textOf(content));
  }
  const [turn = textOf(messages.at(-1)?.content), ...earlier] = turns;
  return { turn, earlier, messages: messages.length, chars, toolResults };
}

/** Parts that are read: the first and the last ones, as with texts. */
function partsOf(content: readonly unknown[]): readonly unknown[] {
  if (content.length <= PARTS_READ) return content;
  return [...content.slice(0, PARTS_READ / 2), ...content.slice(-PARTS_READ / 2)];
}

function partText(part: unknown): string {
  if (typeof part !== 'object' || part === null) return '';
  const { text } = part as JsonObject;
  return typeof text === 'string' ? text : '';
}

function charsOf(content: unknown): number {
  if (typeof content === 'string') return content.length;
  if (!Array.isArray(content)) return 0;
  return partsOf(content).reduce<number>((sum, part) => sum + partText(part).length, 0);
}

/** Of a message; where it has many long parts, no more of each than a sample can hold. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const texts = partsOf(content)
    .map(partText)
    .filter((text) => text !== '');
  return texts.length === 1 ? texts[0]! : texts.map(ends).join('\n');
}

function ends(text: string): string {
  if (text.length <= SAMPLE_CHARS) return text;
  return `${text.slice(0, SAMPLE_HEAD_CHARS)}\n${text.slice(-SAMPLE_TAIL_CHARS)}`;
}
