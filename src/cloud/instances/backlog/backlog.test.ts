import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { type BacklogRules, backlogReader, type Reading } from './index.ts';

const SECRET = 's3cr3t-w0rd';

type Source = Parameters<ReturnType<typeof backlogReader>>[0];

async function read(from: Source, rules: Partial<BacklogRules> = {}): Promise<Reading> {
  const env = { PATH: process.env.PATH, ...rules.env };
  const reader = backlogReader({ allowsCommands: true, ...rules, env });
  return reader(from, AbortSignal.timeout(60_000));
}

/** The number, or why there is none. */
async function said(from: Source, rules: Partial<BacklogRules> = {}): Promise<number | string> {
  const reading = await read(from, rules);
  return reading.ok ? reading.backlog : reading.error;
}

describe('a command', () => {
  const sh = (script: string): Source => ({ command: ['sh', '-c', script] });

  test('prints the number', async () => {
    assert.equal(await said(sh('echo 12')), 12);
    assert.equal(await said({ command: ['printf', '  1.5e3\n\n'] }), 1500);
  });

  test('that prints something else, too much, or fails is an error that says so', async () => {
    assert.equal(await said(sh(`echo ${SECRET}`)), 'sh printed no number');
    assert.equal(await said(sh('true')), 'sh printed no number');
    assert.equal(await said(sh('echo -3')), 'sh printed -3, which is below 0');
    assert.equal(await said(sh('echo 0x10')), 'sh printed no number');
    assert.equal(await said(sh('yes')), 'sh printed more than 4096 bytes');
    assert.equal(await said(sh('echo 12; echo why >&2; exit 3')), 'sh ended with 3: why');
    assert.equal(await said(sh('kill -9 $$')), 'sh was killed by SIGKILL');
    assert.match(String(await said({ command: ['/no/such'] })), /ENOENT/);
    assert.match(String(await said({ command: [''] })), /empty/);
  });

  test('that takes too long is killed with all that it started', async () => {
    const began = performance.now();
    const script = 'sleep 60 & echo $! >&2; sleep 60';
    assert.equal(await said(sh(script), { timeoutMs: 200 }), 'sh had not ended after 0.2 s');
    // A child that goes on and holds the output open is ended with its parent.
    assert.equal(await said(sh('sleep 60 & echo 7')), 7);
    assert.ok(performance.now() - began < 5_000);
  });

  test('gets what is meant for backlogs of the environment and no more, and its secrets are masked', async () => {
    const env = { ROCKSY_STORE: SECRET, ROCKSY_BACKLOG_A: `http://u:${SECRET}@h`, HOME: '/root' };
    assert.equal(
      await said(sh('env | grep -c -e ROCKSY_STORE -e NODE; true'), {
        env: { ...env, ROCKSY_BACKLOG_A: '' },
      }),
      0,
    );
    const error = await said(sh(`echo "no $ROCKSY_BACKLOG_A ${SECRET}" >&2; exit 1`), { env });
    assert.equal(error, 'sh ended with 1: no *** ***');
  });

  test('is not run where the cloud does not allow it', async () => {
    assert.match(String(await said(sh('echo 1'), { allowsCommands: false })), /allows no commands/);
  });

  test('is killed when it is broken off', async () => {
    const stop = new AbortController();
    const reading = backlogReader({ env: process.env, allowsCommands: true })(sh('sleep 60'), stop.signal);
    setTimeout(() => stop.abort(), 50);
    assert.deepEqual(await reading, { ok: false, error: 'it was broken off' });
  });
});

describe('an HTTP address', () => {
  async function answering(listener: RequestListener, act: (url: string, host: string) => Promise<void>) {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await act(`http://${host}/count?token=${SECRET}`, host);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('answers with the number, alone, in a mapping or as text', async () => {
    for (const body of ['12', '{"backlog": 12, "more": 1}', '12\n', '"12"', '{"backlog":"12"}'])
      await answering(
        (_, response) => response.end(body),
        async (url) => assert.equal(await said({ http: url }), 12, body),
      );
  });

  test('that answers something else is an error, which tells nothing of the answer or the address', async () => {
    const answers: [RequestListener, RegExp][] = [
      [(_, response) => response.end(SECRET), / answered no number$/],
      [(_, response) => response.end('{"count": 1}'), / answered no number$/],
      [(_, response) => response.end('-1'), / answered -1, which is below 0$/],
      [(_, response) => response.writeHead(503).end(SECRET), / answered HTTP 503$/],
      [
        (_, response) => response.writeHead(302, { location: 'http://localhost/' }).end(),
        / answered HTTP 302$/,
      ],
      [(_, response) => response.end('1'.repeat(10_000)), / answered more than 4096 bytes$/],
      [(_, response) => void response.write('1'), / had not answered after 0.2 s$/],
      [(request) => void request.socket.destroy(), / can not be reached: /],
    ];
    for (const [listener, expected] of answers)
      await answering(listener, async (url, host) => {
        const error = String(await said({ http: url }, { timeoutMs: 200 }));
        assert.match(error, expected);
        assert.ok(error.startsWith(host) && !error.includes(SECRET), error);
      });
  });

  test('that nobody listens at is an error', async () => {
    let gone = '';
    await answering(
      () => {},
      async (url) => {
        gone = url;
      },
    );
    assert.match(String(await said({ http: gone })), /^127\.0\.0\.1:\d+ can not be reached: ECONNREFUSED$/);
    // https://fetch.spec.whatwg.org/#port-blocking
    assert.equal(await said({ http: 'http://127.0.0.1:1/' }), '127.0.0.1:1 can not be reached: bad port');
  });
});
