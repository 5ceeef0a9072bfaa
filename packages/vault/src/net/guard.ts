/**
 * HTTP to addresses that strangers chose (LNURL servers), without becoming their
 * way into our own network:
 *
 *   https only ▸ resolve once ▸ every address public ▸ connect to exactly what was checked ▸
 *   no redirect ▸ bounded answer ▸ bounded time, all together
 */
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import { isPublicAddress } from './address.ts';

export const ANSWER_BYTES_MAX = 64 * 1_024;
/** Name, connection, headers and body together. */
const TOTAL_MAX_MS = 10_000;
const URL_CHARS_MAX = 2_000;

export type NetProblem =
  | 'bad_url'
  | 'not_https'
  | 'private_address'
  | 'unknown_host'
  | 'redirect'
  | 'too_large'
  | 'timeout'
  | 'network';

/** Safe to show to whoever gave the address: it says nothing about our own network. */
export class NetError extends Error {
  readonly reason: NetProblem;

  constructor(reason: NetProblem, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

export interface GuardOptions {
  /** Http and any address: for what the operator configured, never for what came over the wire. */
  readonly trusted?: boolean;
  readonly resolve?: (host: string) => Promise<readonly ResolvedAddress[]>;
  readonly isAllowed?: (address: string) => boolean;
  readonly totalMaxMs?: number;
}

export interface GuardedRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface GuardedAnswer {
  readonly status: number;
  readonly body: string;
}

export type GuardedFetch = (url: string, request?: GuardedRequest) => Promise<GuardedAnswer>;

const resolveAll = (host: string) => lookup(host, { all: true });

/** Rejects with NetError only. */
export function createGuardedFetch(options: GuardOptions = {}): GuardedFetch {
  const { trusted = false, resolve = resolveAll, totalMaxMs = TOTAL_MAX_MS } = options;
  const isAllowed = options.isAllowed ?? (trusted ? () => true : isPublicAddress);
  return async (text, request = {}) => {
    const url = parseUrl(text, trusted);
    const signal = AbortSignal.timeout(totalMaxMs);
    const address = await pin(url, resolve, isAllowed, signal);
    const agent = new Agent({ connect: { lookup: lookupOf(address) } });
    try {
      return await send(agent, url, request, signal);
    } catch (error) {
      if (error instanceof NetError) throw error;
      if (signal.aborted) throw tooSlow(url);
      throw new NetError('network', `${url.hostname} cannot be reached or broke off`);
    } finally {
      // Nothing is reused: the next call resolves and checks anew.
      agent.destroy().catch(() => {});
    }
  };
}

function parseUrl(text: string, trusted: boolean): URL {
  const url = text.length <= URL_CHARS_MAX ? URL.parse(text) : null;
  if (url === null || url.username !== '' || url.password !== '') {
    throw new NetError('bad_url', 'not a URL that can be called');
  }
  if (url.protocol !== 'https:' && !(trusted && url.protocol === 'http:')) {
    throw new NetError('not_https', 'only https is called');
  }
  return url;
}

/** The one address that the connection will use. One bad address among several refuses all. */
async function pin(
  url: URL,
  resolve: NonNullable<GuardOptions['resolve']>,
  isAllowed: (address: string) => boolean,
  signal: AbortSignal,
): Promise<ResolvedAddress> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const family = isIP(host);
  const found =
    family === 0 ? await resolveInTime(url, host, resolve, signal) : [{ address: host, family }];
  const [first] = found;
  if (first === undefined) throw new NetError('unknown_host', `${host} has no address`);
  if (!found.every(({ address }) => isAllowed(address))) {
    throw new NetError('private_address', `${host} is not a public address`);
  }
  return first;
}

async function resolveInTime(
  url: URL,
  host: string,
  resolve: NonNullable<GuardOptions['resolve']>,
  signal: AbortSignal,
): Promise<readonly ResolvedAddress[]> {
  const late = Promise.withResolvers<never>();
  const onAbort = () => late.reject(tooSlow(url));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([resolve(host), late.promise]);
  } catch (error) {
    if (error instanceof NetError) throw error;
    throw new NetError('unknown_host', `${host} cannot be resolved`);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function lookupOf({ address, family }: ResolvedAddress): LookupFunction {
  return (_host, options, callback) => {
    if (options.all) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

async function send(
  agent: Agent,
  url: URL,
  { method = 'GET', headers, body }: GuardedRequest,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const answer = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method,
    headers: { accept: 'application/json', 'accept-encoding': 'identity', ...headers },
    body: body ?? null,
    signal,
  });
  if (answer.statusCode >= 300 && answer.statusCode < 400) {
    throw new NetError('redirect', `${url.hostname} redirects; redirects are not followed`);
  }
  return { status: answer.statusCode, body: await readBounded(url, answer) };
}

async function readBounded(url: URL, answer: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      throw new NetError('too_large', `${url.hostname} answers with more than 64 KiB`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const tooSlow = (url: URL): NetError =>
  new NetError('timeout', `${url.hostname} did not answer in time`);
