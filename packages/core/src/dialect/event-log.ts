/** The events of a Responses stream as they are written, and the items that they make. */
import type { Item } from './response-object.ts';

export interface EventLog {
  emit(type: string, fields: object): void;
  /** What was emitted since the last time; null = nothing. */
  flush(): Buffer | null;
  /** Takes the newest event back, to be sent by itself. */
  takeLast(): Buffer;
  /** Of the next event, from 0. */
  readonly sequence: number;
  /** Counts `text` towards what is kept until the end. */
  keep(text: string): void;
  /** Characters kept so far; each item counts as ITEM_CHARS on top. */
  readonly chars: number;
  /** The place of a new item in the output. */
  open(): number;
  finish(index: number, item: Item): void;
  /** Those that are finished, in order. */
  readonly items: readonly Item[];
}

const ITEM_CHARS = 1_024;

export function createEventLog(): EventLog {
  const items: Item[] = [];
  let out: string[] = [];
  let sequence = 0;
  let chars = 0;
  let nextIndex = 0;

  function emit(type: string, fields: object): void {
    const event = { type, sequence_number: sequence++, ...fields };
    out.push(`event: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  return {
    emit,
    flush() {
      if (out.length === 0) return null;
      const bytes = Buffer.from(out.join(''));
      out = [];
      return bytes;
    },
    takeLast: () => Buffer.from(out.pop() ?? ''),
    get sequence() {
      return sequence;
    },
    keep(text) {
      chars += text.length;
    },
    get chars() {
      return chars;
    },
    open() {
      chars += ITEM_CHARS;
      return nextIndex++;
    },
    finish(index, item) {
      items[index] = item;
      emit('response.output_item.done', { output_index: index, item });
    },
    items,
  };
}
