import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { jobFixture, noticeFixture } from '../fixtures/notices.ts';
import { type Answer, answers, HANGS, OK, Receiver } from '../fixtures/receiver.ts';
import { secretBytes } from '../webhook-secret.ts';
import { sendHeartbeat } from './heartbeat.ts';
import { signatureOf } from './signature.ts';
import { sendSlack } from './slack.ts';
import { sendWebhook } from './webhook.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const NOW = 1_700_000_000_500;
const MESSAGE = { id: 'msg_1', notice: noticeFixture() };

function limits(timeoutMs = 10_000) {
  return { timeoutMs, signal: new AbortController().signal };
}

async function send(answer: Answer, timeoutMs?: number, path = '/hook') {
  await using receiver = await Receiver.start(answer);
  const url = receiver.url + path;
  const result = await sendWebhook({ url, secret: SECRET }, MESSAGE, limits(timeoutMs), NOW);
  return { result, received: receiver.received, url };
}

test('a webhook is signed as in Standard Webhooks: over id, time and the body as it was sent', async () => {
  const { result, received } = await send(OK);
  assert.deepEqual(result, { ok: true, status: 200, detail: 'taken', retryAfterMs: null, hopeless: false });
  const [{ method, path, headers, body } = assert.fail()] = received;
  assert.deepEqual([method, path, headers['content-type']], ['POST', '/hook', 'application/json']);
  assert.deepEqual([headers['webhook-id'], headers['webhook-timestamp']], ['msg_1', '1700000000']);
  // What docs/alerts.md tells receivers to do.
  const expected = createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64'))
    .update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
    .digest('base64');
  assert.equal(headers['webhook-signature'], `v1,${expected}`);
});

test('the signature is that of the specification’s example', () => {
  const key = secretBytes('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const body = '{"test": 2432232314}';
  const signed = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampS: 1614265330, body };
  assert.equal(signatureOf(signed, key ?? assert.fail()), 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

test('the body says what, since when, of which jobs and how many', async () => {
  const notice = noticeFixture({ jobs: [jobFixture('a/1')], more: [{ project: 'b', count: 6 }] });
  await using receiver = await Receiver.start();
  await sendWebhook({ url: receiver.url, secret: SECRET }, { id: 'm', notice }, limits(), NOW);
  assert.deepEqual(JSON.parse(receiver.received[0]?.body ?? ''), {
    type: 'incident.opened',
    timestamp: '1970-01-01T00:01:00.000Z',
    data: {
      notice: 'ntc_1',
      kind: 'failed',
      causes: ['disk full'],
      total: 7,
      jobs: [
        {
          project: 'a',
          job: 'a/1',
          incidents: ['inc_a/1'],
          count: 1,
          since: '1970-01-01T00:00:00.000Z',
          run: 'r1',
        },
      ],
    },
  });
});

test('whatever is not 2xx has failed, and the answer’s beginning says why', async () => {
  const { result } = await send(answers(500, `no\n${'x'.repeat(10_000)}`));
  assert.deepEqual([result.ok, result.status, result.hopeless], [false, 500, false]);
  assert.match(result.detail, /^HTTP 500 no x+…$/);
  assert.equal(result.detail.length, 300);
});

test('no redirect is followed', async () => {
  await using other = await Receiver.start();
  const { result } = await send(answers(307, '', { location: other.url }));
  assert.deepEqual([result.ok, result.status, other.received.length], [false, 307, 0]);
  assert.match(result.detail, /redirects/);
});

test('a receiver that is gone is not tried again, and one that wants a pause says how long', async () => {
  assert.equal((await send(answers(410))).result.hopeless, true);
  const seconds = await send(answers(429, '', { 'retry-after': '120' }));
  assert.equal(seconds.result.retryAfterMs, 120_000);
  const date = new Date(NOW + 59_500).toUTCString();
  assert.equal((await send(answers(503, '', { 'retry-after': date }))).result.retryAfterMs, 59_500);
  assert.equal((await send(answers(503, '', { 'retry-after': 'soon' }))).result.retryAfterMs, null);
});

test('a receiver that hangs, before its answer or in it, is not waited for', async () => {
  const silent = await send(HANGS, 50);
  assert.deepEqual([silent.result.status, silent.result.detail], [null, 'no answer within 50 ms']);
  const endless =
    (status: number): Answer =>
    (response) =>
      void response.writeHead(status).write('and');
  assert.equal((await send(endless(200))).result.ok, true, 'its status is enough');
  const { result } = await send(endless(500), 50);
  assert.deepEqual([result.ok, result.status], [false, 500]);
});

test('who is not there is told by name, and breaking off ends it', async () => {
  const receiver = await Receiver.start();
  const { url } = receiver;
  await receiver[Symbol.asyncDispose]();
  const refused = await sendWebhook({ url, secret: SECRET }, MESSAGE, limits(), NOW);
  assert.match(refused.detail, /ECONNREFUSED/);
  await using hangs = await Receiver.start(HANGS);
  const stop = new AbortController();
  const lasting = { timeoutMs: 60_000, signal: stop.signal };
  const pending = sendWebhook({ url: hangs.url, secret: SECRET }, MESSAGE, lasting, NOW);
  await hangs.until(1);
  stop.abort();
  assert.equal((await pending).ok, false);
});

test('no result contains a secret, whatever the receiver says', async () => {
  const path = '/services/T0SECRET1/B0SECRET2?token=tok-secret3';
  const echo: Answer = (response, { headers, path: asked }) =>
    response.writeHead(400).end(`${asked} ${SECRET} ${SECRET.slice(6)} http://${headers.host}${asked} fine`);
  const { result } = await send(echo, undefined, path);
  assert.doesNotMatch(result.detail, /secret\d|BwcH|T0SECRET|B0SECRET/i);
  assert.match(result.detail, /^HTTP 400 \*\*\* \*\*\* \*\*\*.* fine$/);
  const bad = 'http://user:hidden-word@127.0.0.1:1/';
  const refused = await sendWebhook({ url: bad, secret: SECRET }, MESSAGE, limits(), NOW);
  assert.equal(refused.ok, false);
  assert.doesNotMatch(refused.detail, /hidden-word/);
});

test('Slack gets a text and blocks in which nothing can call people or leave its place', async () => {
  await using receiver = await Receiver.start();
  const cause = `<!channel> \`\`\` & ${'<'.repeat(2000)}`;
  const jobs = Array.from({ length: 30 }, (_, i) => jobFixture(`shop/${'j'.repeat(100)}${i}`));
  const notice = noticeFixture({ causes: [cause], jobs });
  assert.equal((await sendSlack({ url: receiver.url }, { id: 'm', notice }, limits(), NOW)).ok, true);
  const body = receiver.received[0]?.body ?? '';
  const { text, blocks } = JSON.parse(body);
  assert.equal(text, '🔴 30 jobs failed');
  assert.deepEqual(
    blocks.map(({ type }: { type: string }) => type),
    ['header', 'section', 'section'],
  );
  assert.ok(blocks[0].text.text.length <= 150);
  for (const block of blocks.slice(1)) assert.ok(block.text.text.length <= 3000);
  assert.match(blocks[1].text.text, /and 10 more$|…$/);
  assert.match(blocks[2].text.text, /^```&lt;!channel&gt; ''' &amp; (&lt;)+…```$/);
});

test('a heartbeat is a GET', async () => {
  await using receiver = await Receiver.start();
  const result = await sendHeartbeat(`${receiver.url}/ping/abc`, limits(), NOW);
  assert.equal(result.ok, true);
  assert.deepEqual([receiver.received[0]?.method, receiver.received[0]?.path], ['GET', '/ping/abc']);
});
