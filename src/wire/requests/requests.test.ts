import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeAnswer } from '../answers.ts';
import { type ErrorCode, RocksyError } from '../errors.ts';
import { parseLine } from '../line.ts';
import { parseRequest, type Request } from './requests.ts';

const NAMES = [
  ...['hello', 'run', 'check', 'free', 'terminate', 'status', 'list', 'wait', 'signal', 'cancel', 'logs'],
  'search',
  ...['subscribe', 'unsubscribe', 'pools', 'reload', 'drain', 'stats', 'restart', 'stop', 'bye'],
];
const FIELDS = [
  ...['id', 'key', 'hash', 'class', 'params', 'argv', 'pool', 'job', 'env', 'cwd', 'stdin', 'log', 'token'],
  ...['timeout_ms', 'kill_after_ms', 'state', 'limit', 'before', 'signal', 'offset', 'length', 'since'],
  ...[
    'text',
    'ignore_case',
    'follow',
    'events',
    'subscription',
    'on',
    '__proto__',
    'constructor',
    'toString',
    'name',
    'byHash',
  ],
];

const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }).map((json) => JSON.stringify(json)),
  fc.constantFrom(
    '1e400',
    '-0',
    '1.50',
    '18446744073709551616',
    '"\\ud800"',
    '"\\u0000"',
    '[1e9]',
    '{"a":-0}',
  ),
  fc.constantFrom('"7"', '7', '["true"]', '"queued"', '["log"]', 'true', '""', 'null', '0'),
);
const json = fc
  .array(fc.tuple(fc.constantFrom(...FIELDS), value), { maxLength: 6 })
  .map((fields) => `{${fields.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`);
const line = fc.oneof(
  fc
    .tuple(fc.constantFrom(...NAMES, 'nonsense', '', '__proto__', 'constructor'), json)
    .map((it) => it.join(' ')),
  fc.tuple(fc.constantFrom(...NAMES), fc.string({ unit: 'binary' })).map((it) => it.join(' ')),
  fc.string({ unit: 'binary' }),
);

function parse(text: string | Buffer): Request {
  return parseRequest(parseLine(Buffer.from(text)));
}

function codeOf(text: string | Buffer): ErrorCode | null {
  try {
    parse(text);
    return null;
  } catch (error) {
    if (error instanceof RocksyError) return error.code;
    throw error;
  }
}

test('whatever a line holds, it is a request or an error with a code', () => {
  fc.assert(
    fc.property(line, (text) => {
      codeOf(text);
    }),
    { numRuns: 10_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      codeOf(Buffer.from(bytes));
    }),
    { numRuns: 5_000 },
  );
});

test('an error of any line has words that fit on a line', () => {
  fc.assert(
    fc.property(line, (text) => {
      try {
        parse(text);
      } catch (error) {
        assert.ok(error instanceof RocksyError && error.message !== '');
        assert.equal(encodeAnswer(1, { message: error.message }).indexOf('\n') > 0, true);
      }
    }),
  );
});

test('params and id are kept to the letter', () => {
  const params = '[12345678901234567890,1e400,-0,1.50,{"a":[-0.0,1E5]},"é"]';
  const raw = parseLine(
    Buffer.from(`run {"id":18446744073709551615,"key":"k","class":"C","params":${params}}`),
  );
  const request = parseRequest(raw);
  assert.ok(request.name === 'run');
  assert.equal(JSON.stringify(request.params), params);
  assert.equal(encodeAnswer(raw.id, { ok: true }).toString(), '{"id":18446744073709551615,"ok":true}\n');
});

test('a subscription is named by an id as it was written', () => {
  const request = parse('unsubscribe {"subscription":18446744073709551615}');
  assert.ok(request.name === 'unsubscribe');
  assert.equal(JSON.stringify(request.subscription), '18446744073709551615');
});

test('every 64-bit hash is a key of its own', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (hash) => {
      const request = parse(`check {"hash":${hash}}`);
      assert.ok(request.name === 'check');
      assert.equal(request.key, String(hash));
      assert.equal(request.byHash, true);
      const quoted = parse(`check {"hash":"${hash}"}`);
      assert.ok(quoted.name === 'check' && quoted.key === request.key);
    }),
  );
});

test('a hash is an integer or what PHP takes for numeric', () => {
  for (const hash of ['"12"', '" 12"', '"12 "', '"1.5"', '".5"', '"1e3"', '"+1"', '-1', '0'])
    assert.equal(codeOf(`check {"hash":${hash}}`), null, hash);
  for (const hash of ['"x"', '""', '"1x"', '1.5', '1e3', 'true', 'null', '[]', '{}', '"1 2"', '"0x1A"'])
    assert.equal(codeOf(`check {"hash":${hash}}`), 'hash_not_numeric', hash);
  assert.equal(codeOf('check'), 'hash_not_numeric');
  assert.equal(codeOf(`check {"hash":${'1'.repeat(256)}}`), 'hash_not_numeric');
});

test('a bad hash is told before anything else that is wrong', () => {
  assert.equal(codeOf('run {"hash":"x"}'), 'hash_not_numeric');
  assert.equal(codeOf('run {"hash":"x","class":5}'), 'hash_not_numeric');
});

test('the original is what has neither id nor key', () => {
  assert.equal(parseLine(Buffer.from('check {"hash":1}')).original, true);
  assert.equal(parseLine(Buffer.from('check {"hash":1,"id":1}')).original, false);
  assert.equal(parseLine(Buffer.from('check {"key":"1"}')).original, false);
});

test('a line without an object has an empty one', () => {
  for (const text of ['stats', 'stats ', 'stats   ', 'stats {}', 'stats  {} ']) {
    const raw = parseLine(Buffer.from(text));
    assert.deepEqual([raw.name, raw.text, raw.fields], ['stats', '{}', {}], JSON.stringify(text));
  }
});

test('unknown fields are ignored, known ones are checked and named', () => {
  assert.equal(codeOf('list {"limit":5,"colour":"red","__proto__":1}'), null);
  const refused: Readonly<Record<string, RegExp>> = {
    'list {"limit":0}': /^limit: /,
    'list {"limit":1e9}': /^limit: /,
    'list {"state":"dead"}': /^state: must be one of queued, starting, running, ended, active$/,
    'run {"key":"k","argv":[]}': /^argv: /,
    'run {"key":"k","argv":["a",1]}': /^argv\.1: /,
    'run {"key":"k","argv":["a"],"class":"C"}': /class or argv/,
    'run {"key":"k","argv":["a"],"env":{"A":1}}': /^env\.A: /,
    'run {"key":"k","argv":["a"],"log":"../x"}': /^log: /,
    'run {"key":"k","argv":["a"],"timeout_ms":0}': /^timeout_ms: /,
    'run {"key":"","argv":["a"]}': /^key: /,
    'run {"key":"a\\nb","argv":["a"]}': /^key: /,
    drain: /^pool: is missing$/,
    'signal {"key":"k"}': /^signal: is missing$/,
    'stats {"id":true}': /^id: /,
    'stats {"id":{}}': /^id: /,
  };
  for (const [text, message] of Object.entries(refused)) {
    assert.throws(
      () => parse(text),
      (error) => {
        assert.ok(error instanceof RocksyError && error.code === 'invalid_request', text);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('numbers of fields may be written any way', () => {
  const request = parse('logs {"key":"k","offset":1e3,"length":2.0}');
  assert.ok(request.name === 'logs' && request.offset === 1000 && request.length === 2);
});

test('invalid UTF-8 is no request', () => {
  assert.equal(codeOf(Buffer.from('stats {"a":"\xff"}', 'latin1')), 'invalid_json');
});
