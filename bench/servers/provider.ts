/**
 * A provider that takes no time: node:http and fixed bytes. A stream leaves in one write, or event
 * by event (each in its own packet, as a model produces it) where the model's name asks for that.
 */
import { createServer, type ServerResponse } from 'node:http';
import { streamEvents, wholeAnswer } from './answers.ts';
import { serve } from './serve.ts';

/** Tokens of the two prompts, which differ enough in size to be told apart by it. */
const [shortTokens, longTokens] = process.argv.slice(2).map(Number) as [number, number];
const LONG_PROMPT_BYTES = 8 * 1024;

const short = Buffer.from(wholeAnswer(shortTokens));
const long = Buffer.from(wholeAnswer(longTokens));
const events = streamEvents(shortTokens).map((event) => Buffer.from(event));
const allEvents = Buffer.concat(events);

/** Looked for in the first bytes, so that a long prompt is not searched. */
const LOOKED_AT_CHARS = 400;
const STREAM = /"stream": ?true/;
const PACKETS = '"bench-packets"';

const server = createServer({ noDelay: true }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => answer(Buffer.concat(chunks), response));
});
server.keepAliveTimeout = 60_000;
serve(server);

function answer(body: Buffer, response: ServerResponse): void {
  const head = body.toString('latin1', 0, LOOKED_AT_CHARS);
  if (!STREAM.test(head)) {
    const whole = body.length > LONG_PROMPT_BYTES ? long : short;
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': whole.length,
    });
    response.end(whole);
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  if (!head.includes(PACKETS)) response.end(allEvents);
  else sendEvent(response, 0);
}

function sendEvent(response: ServerResponse, nth: number): void {
  if (nth === events.length) {
    response.end();
    return;
  }
  response.write(events[nth]);
  setImmediate(sendEvent, response, nth + 1);
}
