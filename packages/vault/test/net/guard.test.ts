/** T40: nobody uses the vault to reach what only the vault can reach. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { isPublicAddress } from '../../src/net/address.ts';
import {
  ANSWER_BYTES_MAX,
  createGuardedFetch,
  type GuardOptions,
  NetError,
} from '../../src/net/guard.ts';

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.closeAllConnections();
  return Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
});

async function listen(answer: RequestListener, host = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((done) => server.listen(port, host, done));
  return (server.address() as AddressInfo).port;
}

async function problem(url: string, options: GuardOptions = {}): Promise<string> {
  try {
    await createGuardedFetch(options)(url);
    return 'answered';
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return error.reason;
  }
}

const PUBLIC = { address: '93.184.215.14', family: 4 };

describe('addresses', () => {
  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.127.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'localhost',
    '',
  ])('T40: %s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '2606:4700::1',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe('what is refused before anything is sent', () => {
  test.each([
    ['https://127.0.0.1/', 'private_address'],
    ['https://2130706433/', 'private_address'],
    ['https://0x7f.1/', 'private_address'],
    ['https://[::1]/', 'private_address'],
    ['https://[::ffff:127.0.0.1]/', 'private_address'],
    ['https://[fd00::1]/', 'private_address'],
    ['https://169.254.169.254/latest/meta-data/', 'private_address'],
    ['http://93.184.215.14/', 'not_https'],
    ['ftp://93.184.215.14/', 'not_https'],
    ['file:///etc/passwd', 'not_https'],
    ['https://user:secret@93.184.215.14/', 'bad_url'],
    ['not a url', 'bad_url'],
    [`https://example.com/${'a'.repeat(3_000)}`, 'bad_url'],
  ])('T40: %s', async (url, reason) => {
    expect(await problem(url)).toBe(reason);
  });

  test('T40: a name with one private address among public ones', async () => {
    const resolve = async () => [PUBLIC, { address: '10.0.0.1', family: 4 }];
    expect(await problem('https://pay.example/', { resolve })).toBe('private_address');
  });

  test('a name without an address, and one that cannot be resolved', async () => {
    expect(await problem('https://pay.example/', { resolve: async () => [] })).toBe('unknown_host');
    const resolve = () => Promise.reject(new Error('ENOTFOUND'));
    expect(await problem('https://pay.example/', { resolve })).toBe('unknown_host');
  });

  test('a name server that never answers', async () => {
    const resolve = () => new Promise<never>(() => {});
    expect(await problem('https://pay.example/', { resolve, totalMaxMs: 20 })).toBe('timeout');
  });
});

describe('what an answer may be', () => {
  /** Http to this machine, as only tests and operators may. */
  const fetch = createGuardedFetch({ trusted: true });

  test('T40: a name is resolved once, and what was checked is what is called', async () => {
    let rebound = 0;
    const port = await listen((_request, reply) => reply.end('checked'));
    await listen(
      (_request, reply) => {
        rebound++;
        reply.end('rebound');
      },
      '127.0.0.2',
      port,
    );
    let asked = 0;
    const rebinding = createGuardedFetch({
      trusted: true,
      isAllowed: (address) => address === '127.0.0.1',
      resolve: async () => [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }],
    });
    expect(await rebinding(`http://pay.example:${port}/`)).toEqual({
      status: 200,
      body: 'checked',
    });
    expect([asked, rebound]).toEqual([1, 0]);
    // The second call resolves anew, and is refused.
    await expect(rebinding(`http://pay.example:${port}/`)).rejects.toMatchObject({
      reason: 'private_address',
    });
    expect(rebound).toBe(0);
  });

  test('the server sees the name, the method and the body', async () => {
    let seen: unknown;
    const port = await listen(async (request, reply) => {
      const body = await request.toArray();
      seen = [request.method, request.headers.host, request.url, Buffer.concat(body).toString()];
      reply.writeHead(201).end('made');
    });
    const named = createGuardedFetch({
      trusted: true,
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    });
    const answer = await named(`http://hook.example:${port}/in?a=1`, {
      method: 'POST',
      body: '{}',
    });
    expect(answer).toEqual({ status: 201, body: 'made' });
    expect(seen).toEqual(['POST', `hook.example:${port}`, '/in?a=1', '{}']);
  });

  test('T40: a redirect is not followed', async () => {
    let followed = false;
    const port = await listen((request, reply) => {
      if (request.url !== '/') followed = true;
      reply.writeHead(302, { location: '/secret' }).end();
    });
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({ reason: 'redirect' });
    expect(followed).toBe(false);
  });

  test('T40: 64 KiB pass, one byte more does not, and an endless answer ends', async () => {
    const port = await listen((request, reply) => {
      if (request.url === '/endless') {
        const more = () => {
          while (reply.write('x'.repeat(10_000)));
        };
        reply.on('drain', more);
        more();
        return;
      }
      reply.end('x'.repeat(ANSWER_BYTES_MAX + (request.url === '/more' ? 1 : 0)));
    });
    expect((await fetch(`http://127.0.0.1:${port}/`)).body).toHaveLength(ANSWER_BYTES_MAX);
    const tooLarge = { reason: 'too_large' };
    await expect(fetch(`http://127.0.0.1:${port}/more`)).rejects.toMatchObject(tooLarge);
    await expect(fetch(`http://127.0.0.1:${port}/endless`)).rejects.toMatchObject(tooLarge);
  });

  test('T40: no answer, half an answer and a closed port all end', async () => {
    const port = await listen((request, reply) => {
      if (request.url === '/half') reply.write('half');
    });
    const hasty = createGuardedFetch({ trusted: true, totalMaxMs: 100 });
    await expect(hasty(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({ reason: 'timeout' });
    await expect(hasty(`http://127.0.0.1:${port}/half`)).rejects.toMatchObject({
      reason: 'timeout',
    });
    const gone = await listen(() => {});
    await new Promise((done) => servers.pop()!.close(done));
    await expect(fetch(`http://127.0.0.1:${gone}/`)).rejects.toMatchObject({ reason: 'network' });
  });
});
