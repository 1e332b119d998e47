import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEnvFile } from './env-file.ts';

/** The variables of a text that is right. */
function read(text: string): Record<string, string> {
  const { variables, problems } = parseEnvFile(text);
  assert.deepEqual(problems, []);
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

function problemsOf(text: string): string[] {
  return parseEnvFile(text).problems.map(({ line, message }) => `${line}: ${message}`);
}

test('names and values, comments and empty lines', () => {
  const text = '# a comment = none\n; another\n\nA=1\n  B = two words \t\nC=\n_d1=x#y;z=$A\nE=last';
  assert.deepEqual(read(text), { A: '1', B: 'two words', C: '', _d1: 'x#y;z=$A', E: 'last' });
});

test('single quotes keep everything, double ones know five escapes', () => {
  assert.deepEqual(read(`A=' a\\n"b '\nB=" \\"\\\\\\$\\\`\\n' "\nC='one' "two"three\nD=it"s`), {
    A: ' a\\n"b ',
    B: ` "\\$\`\\n' `,
    C: 'onetwothree',
    D: 'it"s',
  });
});

test('quotes and backslashes span lines', () => {
  assert.deepEqual(read(`KEY="-----BEGIN\nabc\n-----END"\nA=one \\\n  two\nB="one\\\ntwo"\n# a \\\nC=3\n`), {
    KEY: '-----BEGIN\nabc\n-----END',
    A: 'one   two',
    B: 'onetwo',
    C: '3',
  });
});

test('lines may end as on other systems', () => {
  assert.deepEqual(read('A=1\r\n# b\r\nB="2" \r\nC=3\rD=4'), { A: '1', B: '2', C: '3', D: '4' });
});

test('of two with one name both are told, in their order', () => {
  assert.deepEqual(
    parseEnvFile('A=1\n\nA=2').variables.map(({ value, line }) => [value, line]),
    [
      ['1', 1],
      ['2', 3],
    ],
  );
});

test('what is no variable is told by its line, and nothing of a value with it', () => {
  const noName = 'what stands before the = is no name (letters, digits and _)';
  assert.deepEqual(problemsOf('\nexport A=s3cret\n9=s3cret\n=s3cret\nÄ=s3cret'), [
    `2: ${noName}`,
    `3: ${noName}`,
    `4: ${noName}`,
    `5: ${noName}`,
  ]);
  assert.deepEqual(problemsOf('A=1\ns3cret\nB=2\ns3cret'), [
    '2: expected NAME=VALUE',
    '4: expected NAME=VALUE',
  ]);
  assert.deepEqual(problemsOf('A="a\nB=s3cret\n'), ['1: the quote of A is not closed']);
  assert.deepEqual(problemsOf("A=1\nB='s3cret"), ['2: the quote of B is not closed']);
  assert.deepEqual(problemsOf('A="a\\'), ['1: the quote of A is not closed']);
  assert.deepEqual(problemsOf('A=s3cret\0'), ['1: A has a NUL byte, which no variable can have']);
});

const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,10}$/);
const character = fc.oneof(
  fc.constantFrom(...` \t\n\r"'\\$\`#;=!*`),
  fc.string({ minLength: 1, maxLength: 1, unit: 'grapheme' }),
);
const value = fc.array(character).map((all) => all.join('').replaceAll('\0', ''));

/** The same value, written in three ways. */
const WRITTEN: Readonly<Record<string, (value: string) => string>> = {
  single: (text) => `'${text.replaceAll("'", `'"'"'`)}'`,
  double: (text) => `"${text.replace(/["\\`$]/g, '\\$&')}"`,
  // A line break can stand between quotes only.
  plain: (text) =>
    [...text].map((c) => (/[\n\r]/.test(c) ? `"${c}"` : `'${c === "'" ? `'"'"'` : c}'`)).join(''),
  escaped: (text) =>
    /[\n\r]/.test(text) ? `'${text.replaceAll("'", `'"'"'`)}'` : [...text].map((c) => `\\${c}`).join(''),
};

test('whatever a value is, it comes back as it was written, quoted or escaped', () => {
  const way = fc.constantFrom(...Object.keys(WRITTEN));
  const between = fc.constantFrom('', '\n', '# comment "\'\n', '  \n;x\n');
  const entry = fc.tuple(name, value, way, between, fc.constantFrom('', ' ', '\t '));
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const text = entries
        .map(([n, v, w, b, blank]) => `${b}${blank}${n}${blank}=${blank}${WRITTEN[w]?.(v)}${blank}\n`)
        .join('');
      const { variables, problems } = parseEnvFile(text);
      assert.deepEqual(problems, []);
      assert.deepEqual(
        variables.map((each) => [each.name, each.value]),
        entries.map(([n, v]) => [n, v]),
      );
    }),
    { numRuns: 1_000 },
  );
});

test('whatever the text, it is read to its end, and what is wrong has a line of it', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.oneof(character, name)).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (any) => {
      const { variables, problems } = parseEnvFile(any);
      const lines = any.split('\n').length;
      for (const { line } of [...variables, ...problems]) assert.ok(line >= 1 && line <= lines);
      for (const each of variables) assert.match(each.name, /^[A-Za-z_][A-Za-z0-9_]*$/);
      // A text that is right stays right with another variable behind it.
      if (problems.length > 0 || any.endsWith('\\')) return;
      const more = parseEnvFile(`${any}\nZ='z'\n`);
      assert.deepEqual(more.variables.at(-1)?.value, 'z');
      assert.deepEqual(more.variables.slice(0, -1), variables);
    }),
    { numRuns: 2_000 },
  );
});
