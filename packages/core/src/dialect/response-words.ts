/** What a model says, as the one message that is open: parts of text and of refusal, one after another. */
import type { EventLog } from './event-log.ts';
import {
  type MessageItem,
  type Part,
  refusalPart,
  type Status,
  textPart,
} from './response-object.ts';

export interface Words {
  say(kind: Kind, text: string): void;
  /** Nothing where nothing is open. */
  close(status: Status): void;
}

type Kind = 'text' | 'refusal';

interface OpenPart {
  readonly kind: Kind;
  readonly pieces: string[];
}

interface OpenMessage {
  readonly index: number;
  readonly id: string;
  readonly parts: Part[];
  part: OpenPart | null;
}

/** As each kind of part is named in events. */
const PART_EVENTS = { text: 'response.output_text', refusal: 'response.refusal' } as const;

/** `id`: of the answer, for those of its items. */
export function createWords(log: EventLog, id: string): Words {
  let message: OpenMessage | null = null;

  function openMessage(): OpenMessage {
    const index = log.open();
    const opened: OpenMessage = { index, id: `msg_${id}${index}`, parts: [], part: null };
    const item = messageItem(opened, 'in_progress');
    log.emit('response.output_item.added', { output_index: index, item });
    return opened;
  }

  function openPart(of: OpenMessage, kind: Kind): OpenPart {
    const part: OpenPart = { kind, pieces: [] };
    log.emit('response.content_part.added', { ...placeOf(of), part: partOf(part) });
    return part;
  }

  function closePart(of: OpenMessage): void {
    if (of.part === null) return;
    const part = partOf(of.part);
    const at = placeOf(of);
    const whole = of.part.pieces.join('');
    const said = of.part.kind === 'text' ? { text: whole, logprobs: [] } : { refusal: whole };
    log.emit(`${PART_EVENTS[of.part.kind]}.done`, { ...at, ...said });
    log.emit('response.content_part.done', { ...at, part });
    of.parts.push(part);
    of.part = null;
  }

  return {
    say(kind, text) {
      message ??= openMessage();
      if (message.part !== null && message.part.kind !== kind) closePart(message);
      message.part ??= openPart(message, kind);
      message.part.pieces.push(text);
      log.keep(text);
      const logprobs = kind === 'text' ? { logprobs: [] } : {};
      log.emit(`${PART_EVENTS[kind]}.delta`, { ...placeOf(message), delta: text, ...logprobs });
    },
    close(status) {
      if (message === null) return;
      closePart(message);
      log.finish(message.index, messageItem(message, status));
      message = null;
    },
  };
}

const partOf = ({ kind, pieces }: OpenPart): Part =>
  (kind === 'text' ? textPart : refusalPart)(pieces.join(''));

const placeOf = ({ id, index, parts }: OpenMessage): object => ({
  item_id: id,
  output_index: index,
  content_index: parts.length,
});

const messageItem = ({ id, parts }: OpenMessage, status: Status): MessageItem => ({
  id,
  type: 'message',
  role: 'assistant',
  status,
  content: [...parts],
});
