/** The calls of a model: each stays open until the end, since chat does not say when one is over. */
import { argumentsOf, isObject } from '../openai/json-object.ts';
import type { EventLog } from './event-log.ts';
import type { CallItem, Status } from './response-object.ts';

export interface Calls {
  /** One of chat's `tool_calls`; `position`: where it stands among them. */
  take(delta: unknown, position: number): void;
  close(status: Status): void;
}

interface OpenCall {
  readonly index: number;
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  readonly pieces: string[];
}

/** `beforeOpen`: runs before a call begins. `id`: of the answer, for those of its items. */
export function createCalls(log: EventLog, id: string, beforeOpen: () => void): Calls {
  /** By the index that chat gives them. */
  const calls = new Map<number, OpenCall>();

  function openCall(at: number, callId: unknown, name: unknown): OpenCall {
    beforeOpen();
    const index = log.open();
    const opened: OpenCall = {
      index,
      id: `fc_${id}${index}`,
      callId: typeof callId === 'string' && callId !== '' ? callId : `call_${id}${index}`,
      name: typeof name === 'string' ? name : '',
      pieces: [],
    };
    calls.set(at, opened);
    log.keep(opened.callId + opened.name);
    const item = callItem(opened, 'in_progress');
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
      const place = { item_id: open.id, output_index: open.index };
      log.emit('response.function_call_arguments.delta', { ...place, delta: piece });
    },
    close(status) {
      for (const open of calls.values()) {
        const item = callItem(open, status);
        const { name, arguments: args } = item;
        const place = { item_id: open.id, output_index: open.index };
        log.emit('response.function_call_arguments.done', { ...place, name, arguments: args });
        log.finish(open.index, item);
      }
    },
  };
}

const callItem = ({ id, callId, name, pieces }: OpenCall, status: Status): CallItem => ({
  id,
  type: 'function_call',
  call_id: callId,
  name,
  arguments: pieces.join(''),
  status,
});
