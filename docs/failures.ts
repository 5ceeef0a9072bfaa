/**
 * Makes `docs/failures.md` from the failure matrix that core routes by: `node docs/failures.ts`, then
 * `pnpm run fix`, which pads the tables. A test compares the file with what this makes, and the
 * types demand a sentence for every kind.
 */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { CORE_ERRORS } from '../packages/core/src/errors.ts';
import {
  FAILURES,
  type FailureKind,
  type FailureRule,
  STATUSES,
  STREAM_ENDS,
} from '../packages/core/src/route/failure.ts';

const WHEN: Record<FailureKind, string> = {
  not_connected: 'No connection: refused, no route, unknown name, TLS, `connect_ms`',
  rate_limited: '429',
  server_error: 'Another 5xx',
  timeout: '408, 504, 524; no first token or answer in time; silence in a stream that is held back',
  broken: 'The connection ended or broke after the request was sent, before the answer had begun',
  damaged_event: 'An event that is not JSON, before anything was passed on',
  not_a_completion:
    '200 with a page, nothing, or JSON that is no answer of the endpoint: no choices, no output, fewer vectors than inputs',
  error_in_answer:
    'An error inside a 200: its body, its first events, or a stream that is held back',
  redirect: '3xx, which is not followed',
  credentials: '401, 403: our key is refused',
  payment: '402: our account there is empty',
  model_missing: '404 or 405, or words that say so in a 400 or 403',
  model_overloaded: '429 or 5xx whose words blame the model',
  context_too_small: 'The prompt is longer than the model takes there',
};

const STREAM_WHEN: Record<keyof typeof STREAM_ENDS, readonly [string, string, string]> = {
  whole: [
    'Every choice finished, or `[DONE]`; in Responses `response.completed` or `response.incomplete`',
    'usage if asked for, the bill, `[DONE]`; in Responses the bill and that last event',
    'usage × rates',
  ],
  broken: [
    'Reset, early end, silence of `idle_ms`, error event, damaged event, `total_ms`',
    'the bill, an `error` event, no end mark',
    'what was delivered',
  ],
  client_gone: [
    'The caller left, or took nothing for `client_stall_ms`',
    'nothing',
    'what was delivered',
  ],
};

/** `breaker` of a rule in words. */
function hears({ blames, coolDown }: FailureRule): string {
  if (blames === null) return 'nothing';
  const open = { usual: 'open_secs', credentials: 'credentials_secs', payment: 'payment_secs' };
  return `failing, ${blames}, \`${open[coolDown]}\``;
}

function failureRow([kind, rule]: [string, FailureRule]): string {
  const { status } = CORE_ERRORS[rule.code];
  const next =
    kind === 'context_too_small' ? 'unless its context window is known to be no larger' : 'yes';
  return `| \`${kind}\` | ${WHEN[kind as FailureKind]} | ${next} | ${rule.again ? 'yes' : ''} | ${hears(rule)} | ${rule.mayBeBilled ? 'yes' : ''} | ${status} \`${rule.code}\` | ${rule.shouldRetry ? 'yes' : ''} |`;
}

const statusRow = ({ from, to, kind }: (typeof STATUSES)[number]): string =>
  `| ${from === to ? from : `${from}–${to}`} | ${kind === null ? 'the request is at fault: no other candidate; status and words go to the caller' : `\`${kind}\``} |`;

function streamRow([kind, [when, sees, costs]]: [
  string,
  readonly [string, string, string],
]): string {
  const { heard } = STREAM_ENDS[kind as keyof typeof STREAM_ENDS];
  return `| \`${kind}\` | ${when} | ${heard} | ${sees} | ${costs} |`;
}

export function failuresPage(): string {
  return `# When a provider fails

Made by \`node docs/failures.ts\` from \`route/failure.ts\`, which is what core routes by.

## Before anything went to the caller

The failed attempt costs the agent nothing. _Next_: the next candidate is asked at once; those below the floor come last, and not at all with \`strict_tier\`. _Again_: where nobody answered, this provider is asked once more after a jittered wait (\`retry.backoff_ms\`, or its own \`Retry-After\` up to \`retry.backoff_max_ms\`), within \`retry.max_attempts\` and the retry budget of the process. _Breaker_: what it hears, about whom, and how long it rests once it opens; one request counts once. _Lost_: the provider may charge for the prompt, so it is logged as \`lost_msat\` (\`cost.lost_msats\` of \`GET /v1/requests\`), and bounded per agent. _Caller_ and _retry_ (\`x-should-retry\`): where every candidate failed like this; a mixture is 502 \`provider_error\`.

| kind | when | next | again | breaker | lost | caller | retry |
|---|---|---|---|---|---|---|---|
${Object.entries(FAILURES).map(failureRow).join('\n')}

A \`Retry-After\` of 429 or 5xx pauses the provider (or the model, where the words blame it) for that long, at most \`retry.retry_after_max_secs\`; where every candidate answered 429 the caller gets the shortest of theirs.

## Statuses

The first row that fits. Words decide only where a status says several things: moderation in a 403, a missing model in a 400, one overloaded model in a 503, a prompt that is too long. A 400 or 422 that names \`stream_options\`, or the output bound by a name that the provider does not know, is first asked once more without it, or by its other name.

| status | kind |
|---|---|
${STATUSES.map(statusRow).join('\n')}

## After the first byte

Nobody else is asked, and there is one bill. With \`rescue = "buffer"\` this stage begins when the stream is whole, at \`retry.rescue_kb\`, or 55 s after the first dispatch; until then its failures are those of the first table, and the caller is sent nothing, so that status and headers still say what happened.

| end | when | breaker | caller sees | agent pays |
|---|---|---|---|---|
${Object.entries(STREAM_WHEN).map(streamRow).join('\n')}
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(new URL('failures.md', import.meta.url), failuresPage());
}
