import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { NO_REPORT } from './run.ts';
import { parseRunFile, readProgress, readRunFile } from './runfile.ts';

const BOOT = '5b1f5a2e-9f0e-4c39-8f9e-0d6c1a2b3c4d';
const CLAIM_LINE = `claim 1 4711 123456 ${BOOT} 1700000000000\n`;
const CLAIM = { pid: 4711, startTime: 123_456, bootId: BOOT, atMs: 1_700_000_000_000 };

function runFile(t: TestContext) {
  const folder = mkdtempSync(path.join(tmpdir(), 'rocksy-runfile-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return { folder, name: 'a.run', ownerUid: process.getuid?.() ?? 0, path: path.join(folder, 'a.run') };
}

test('every fact of a run file is read', () => {
  const text = `${CLAIM_LINE}progress 40 importing customers\nresult {"imported":1200}\nerror E: no such\\ncustomer\nexit 1\n`;
  assert.deepEqual(parseRunFile(text), {
    claim: CLAIM,
    report: {
      progress: { percent: 40, text: 'importing customers' },
      result: { imported: 1200 },
      error: 'E: no such\\ncustomer',
      exit: 1,
    },
  });
});

test('the first claim counts, and the last of everything else', () => {
  const second = CLAIM_LINE.replace('4711', '1');
  const { claim, report } = parseRunFile(
    `${CLAIM_LINE}progress 1 a\nexit 3\n${second}progress - b\nexit 4\n`,
  );
  assert.deepEqual(claim, CLAIM);
  assert.deepEqual(report, { ...NO_REPORT, progress: { percent: null, text: 'b' }, exit: 4 });
});

test('lines that are not valid hide no earlier ones', () => {
  const valid = `${CLAIM_LINE}progress 7\nresult 5\nexit 2\n`;
  const invalid =
    'progress 101 x\nprogress x\nresult {\nresult 1,"x":2\nexit 256\nexit -1\nexit 1 2\nclaim\nnoise\n\0\n';
  assert.deepEqual(parseRunFile(valid + invalid), parseRunFile(valid));
});

test('numbers of a result keep all their digits', () => {
  const { report } = parseRunFile('result {"id":12345678901234567890}\n');
  assert.equal(JSON.stringify(report.result), '{"id":12345678901234567890}');
});

test('texts are cut at their limits, and a result beyond its limit is none', () => {
  const long = '€'.repeat(30_000);
  const { report } = parseRunFile(`progress 1 ${long}\nerror ${long}\nresult "${long}"\n`);
  assert.equal(report.progress?.text, '€'.repeat(333));
  assert.equal(report.error, '€'.repeat(2666));
  assert.equal(report.result, null);
});

const facts = fc.oneof(
  fc
    .record({ percent: fc.integer({ min: 0, max: 100 }), text: fc.constantFrom('', 'x', 'exit 1', 'ü ') })
    .map((progress) => ({ line: `progress ${progress.percent} ${progress.text}`, report: { progress } })),
  fc.json().map((json) => ({ line: `result ${json}`, report: { result: JSON.parse(json) } })),
  fc.constantFrom('a', 'claim', 'x: y').map((error) => ({ line: `error ${error}`, report: { error } })),
  fc.integer({ min: 0, max: 255 }).map((exit) => ({ line: `exit ${exit}`, report: { exit } })),
  fc
    .constantFrom('', 'exit', 'garbage', 'progress', 'result', '\u0000')
    .map((line) => ({ line, report: {} })),
);

test('wherever the file is cut off, its whole lines say what they said', () => {
  fc.assert(
    fc.property(
      fc.array(facts, { maxLength: 12 }),
      fc.nat({ max: 12 }),
      fc.nat({ max: 20 }),
      (lines, whole, part) => {
        const kept = lines.slice(0, whole);
        const rest = (lines[whole]?.line ?? '').slice(0, part);
        const text = CLAIM_LINE + kept.map(({ line }) => `${line}\n`).join('') + rest;
        const report = Object.assign({}, NO_REPORT, ...kept.map((fact) => fact.report));
        assert.equal(JSON.stringify(parseRunFile(text)), JSON.stringify({ claim: CLAIM, report }));
      },
    ),
  );
});

test('no text makes the parser fail', () => {
  const word = fc.constantFrom(
    'claim ',
    'progress ',
    'result ',
    'error ',
    'exit ',
    '1 ',
    '-',
    '{',
    '[',
    '"',
    '\n',
    '\r',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string({ unit: 'grapheme-ascii', maxLength: 5 }))), (parts) => {
      parseRunFile(parts.join(''));
    }),
  );
});

test('no run file is null; an empty one, or something else in its place, is a claim that says nothing', async (t) => {
  const file = runFile(t);
  assert.equal(await readRunFile(file), null);
  writeFileSync(file.path, '');
  assert.deepEqual(await readRunFile(file), { claim: null, report: NO_REPORT });
  symlinkSync('/etc/hostname', path.join(file.folder, 'link.run'));
  assert.deepEqual(await readRunFile({ ...file, name: 'link.run' }), { claim: null, report: NO_REPORT });
});

test('of a huge file the beginning and the end are read, and never a part of a line', async (t) => {
  const file = runFile(t);
  writeFileSync(file.path, CLAIM_LINE);
  appendFileSync(file.path, `error ${'exit 1 '.repeat(1_000_000)}\n`);
  appendFileSync(file.path, 'progress 50 half\nexit 9\n');
  assert.deepEqual(await readRunFile(file), {
    claim: CLAIM,
    report: { ...NO_REPORT, progress: { percent: 50, text: 'half' }, exit: 9 },
  });
});

test('progress is read from the end of the file alone', async (t) => {
  const file = runFile(t);
  assert.equal(await readProgress(file), null);
  writeFileSync(
    file.path,
    `${CLAIM_LINE}${'progress 1 x\n'.repeat(2000)}progress 99.5 nearly\nprogress 100 tor`,
  );
  assert.deepEqual(await readProgress(file), { percent: 99.5, text: 'nearly' });
});
