/** The calls of a model: each stays open until the end, since chat does not say when one is over. */
import { argumentsOf, isObject } from '../openai/json-object.ts';
import type { EventLog } from './event-log.ts';
import { type CallItem, callItem, type Status } from './response-object.ts';

export interface Calls {
  /** One of chat's `tool_calls`; `position`: where it stands among them. */
  take(delta: unknown, position: number): void;
  close(status: Status): void;
}

interface OpenCall {
  readonly index: number;
  /** As it was shown when it began. */
  readonly item: CallItem;
  readonly pieces: string[];
}

/** `beforeOpen`: runs before a call begins. `id`: of the answer, for those of its items. */
export function createCalls(log: EventLog, id: string, beforeOpen: () => void): Calls {
  /** By the index that chat gives them. */
  const calls = new Map<number, OpenCall>();

  function openCall(at: number, callId: unknown, name: unknown): OpenCall {
    beforeOpen();
    const index = log.open();
    const item = callItem({ id, index }, { id: callId, name, arguments: '' }, 'in_progress');
    const opened: OpenCall = { index, item, pieces: [] };
    calls.set(at, opened);
    log.keep(item.call_id + item.name);
    log.emit('response.output_item.added', { output_index: index, item });
    return opened;
  }

  return {
    take(delta, position) {
      if (!isObject(delta)) return;
      const given = isObject(delta.function) ? delta.function : {};
      const at = Number.isInteger(delta.index) ? (delta.index as number) : position;
      const open = calls.get(at) ?? openCall(at, delta.id, given.name);
      const piece = argumentsOf(given.arguments);
      if (piece === '') return;
      open.pieces.push(piece);
      log.keep(piece);
      log.emit('response.function_call_arguments.delta', { ...placeOf(open), delta: piece });
    },
    close(status) {
      for (const open of calls.values()) {
        const item = { ...open.item, arguments: open.pieces.join(''), status };
        const { name, arguments: args } = item;
        const told = { ...placeOf(open), name, arguments: args };
        log.emit('response.function_call_arguments.done', told);
        log.finish(open.index, item);
      }
    },
  };
}

const placeOf = ({ index, item }: OpenCall): object => ({ item_id: item.id, output_index: index });
