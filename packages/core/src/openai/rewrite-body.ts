/**
 * The body that goes upstream: the caller's bytes with the few values spliced in that core sets.
 * Everything that is not edited stays byte for byte what the caller sent (see `json-spans.ts`).
 */
import type { ApiRequest } from './api-request.ts';
import { type MemberSpan, memberOf, type ObjectSpans, scanObject } from './json-spans.ts';

/** Chat's two names of the output bound. */
export type ChatBoundKey = 'max_tokens' | 'max_completion_tokens';
export type BoundKey = ChatBoundKey | 'max_output_tokens';

export interface BodyChanges {
  /**
   * The output bound, in the spelling that the model takes; tokens, 1…2^53−1. Set where the caller
   * gave none (or null) under that key; a number of the caller's own is never touched.
   */
  readonly maxTokens?: {
    readonly key: BoundKey;
    readonly value: number;
  };
  /** The caller's bound goes under this name instead, for a provider that does not know the other one. */
  readonly respellBound?: { readonly from: BoundKey; readonly to: BoundKey };
  /**
   * true: a streaming request asks for usage, whatever the caller said; other members of its
   * stream_options stay, and a request that does not stream is left alone.
   * false: no `stream_options` at all, for a provider whose 400 named it.
   * Absent: as the caller sent it.
   */
  readonly includeUsage?: boolean;
  readonly model?: string;
}

/** Bytes [start, end) give way to `text`. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Throws RangeError for an output bound that is no safe positive integer. Returns `raw` itself where nothing changes. */
export function upstreamBody(request: ApiRequest, changes: BodyChanges): Buffer {
  const { raw, spans } = request;
  const edits: Edit[] = [];
  if (changes.model !== undefined && changes.model !== request.model) {
    edits.push(setMember(spans, 'model', JSON.stringify(changes.model)));
  }
  if (changes.maxTokens !== undefined) {
    const { key, value } = changes.maxTokens;
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`not an output bound (integer from 1 to 2^53−1): ${value}`);
    }
    if ((request.body[key] ?? null) === null) edits.push(setMember(spans, key, String(value)));
  }
  if (changes.respellBound !== undefined) {
    edits.push(...renameMember(spans, changes.respellBound.from, changes.respellBound.to));
  }
  if (changes.includeUsage === true && request.stream) edits.push(...askForUsage(request));
  if (changes.includeUsage === false) edits.push(...removeMember(spans, 'stream_options'));
  return splice(raw, edits);
}

function askForUsage({ raw, spans }: ApiRequest): Edit[] {
  const options = memberOf(spans, 'stream_options');
  if (options === undefined || raw[options.valueStart] !== 0x7b) {
    return [setMember(spans, 'stream_options', '{"include_usage":true}')];
  }
  const nested = scanObject(raw, options.valueStart, options.valueEnd);
  // Checked when the request was parsed.
  if (!nested.ok) throw new Error('stream_options cannot be scanned');
  const asked = memberOf(nested.spans, 'include_usage');
  const isTrue = asked !== undefined && raw[asked.valueStart] === 0x74;
  return isTrue ? [] : [setMember(nested.spans, 'include_usage', 'true')];
}

/** Replaces the value where the key exists, else adds the member as the last one. */
function setMember(spans: ObjectSpans, key: string, json: string): Edit {
  const present = memberOf(spans, key);
  if (present !== undefined)
    return { start: present.valueStart, end: present.valueEnd, text: json };
  const last = spans.members.at(-1);
  const at = last === undefined ? spans.open + 1 : last.valueEnd;
  const comma = last === undefined ? '' : ',';
  return { start: at, end: at, text: `${comma}${JSON.stringify(key)}:${json}` };
}

function renameMember(spans: ObjectSpans, from: string, to: string): Edit[] {
  const member = memberOf(spans, from);
  // Two members of one name would leave the reader to chance.
  if (member === undefined || memberOf(spans, to) !== undefined) return [];
  const { keyStart, valueStart } = member;
  return [{ start: keyStart, end: valueStart, text: `${JSON.stringify(to)}:` }];
}

/** Takes one comma along: the one before the member, or the one after it where it is the first. */
function removeMember(spans: ObjectSpans, key: string): Edit[] {
  const index = spans.members.findIndex((member) => member.key === key);
  if (index === -1) return [];
  const { keyStart, valueEnd } = spans.members[index] as MemberSpan;
  const before = spans.members[index - 1];
  const after = spans.members[index + 1];
  if (before !== undefined) return [{ start: before.valueEnd, end: valueEnd, text: '' }];
  return [{ start: keyStart, end: after?.keyStart ?? valueEnd, text: '' }];
}

/** Edits do not overlap; those at one place keep their order (the sort is stable). */
function splice(raw: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return raw;
  const parts: Buffer[] = [];
  let at = 0;
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    parts.push(raw.subarray(at, start), Buffer.from(text));
    at = end;
  }
  parts.push(raw.subarray(at));
  return Buffer.concat(parts);
}
