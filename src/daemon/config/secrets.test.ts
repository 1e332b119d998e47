import assert from 'node:assert/strict';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { asAda, dir, load, problemsOf } from './fixtures/machine.ts';

/** A pool with these lines, the first of them on line 4. */
function pool(...lines: string[]): string {
  return ['pools:', '  os:', '    runtime: command', ...lines.map((line) => `    ${line}`)].join('\n');
}

/** What is warned of, with the folder as `DIR`. */
function warningsOf(yaml: string, surroundings = asAda): string[] {
  return load(yaml, surroundings).warnings.map((line) => line.replaceAll(dir, 'DIR'));
}

function write(name: string, text: string | Buffer, mode = 0o600): string {
  writeFileSync(join(dir, name), text);
  chmodSync(join(dir, name), mode);
  return name;
}

test('environment files are one or several, and a value that is too short to be hidden is warned of', () => {
  write('short.env', 'PORT=8080\nEMPTY=\nKEY=long-enough\nDEBUG=1');
  const config = load(pool('env_file: [secrets.env, ./short.env]')).pools.get('os');
  assert.deepEqual(config?.envFiles, [join(dir, 'secrets.env'), join(dir, 'short.env')]);
  assert.deepEqual(load(pool('env_file: secrets.env')).pools.get('os')?.envFiles, [join(dir, 'secrets.env')]);
  assert.deepEqual(warningsOf(pool('env_file: [secrets.env, ./short.env]')), [
    'DIR/rocksyd.yaml:4: pools.os.env_file[1]: DIR/short.env: shorter than 6 characters, and so not hidden in logs: PORT, DEBUG',
  ]);
});

test('an environment file that is no good is told by line and key, without anything that stands in it', () => {
  write('bad.env', 'A=1\nexport B=s3cret-s3cret\ns3cret-s3cret\nROCKSY_KEY=s3cret-s3cret');
  assert.deepEqual(problemsOf(pool('env_file: bad.env')), [
    '4: pools.os.env_file: DIR/bad.env:2: what stands before the = is no name (letters, digits and _)',
    '4: pools.os.env_file: DIR/bad.env:3: expected NAME=VALUE',
    '4: pools.os.env_file: DIR/bad.env:4: ROCKSY_KEY: names that begin with ROCKSY_ are set by Rocksy itself',
  ]);
  assert.deepEqual(problemsOf(pool('env_file:', '  - secrets.env', '  - none.env', '  - folder')), [
    '6: pools.os.env_file[1]: DIR/none.env is not there',
    '7: pools.os.env_file[2]: DIR/folder is not a file',
  ]);
  write('long.env', `LONG=${'x'.repeat(32_769)}`);
  write('latin.env', Buffer.from([0x41, 0x3d, 0xe4]));
  assert.deepEqual(problemsOf(pool('env_file: [long.env, latin.env]')), [
    '4: pools.os.env_file[0]: DIR/long.env:1: LONG is longer than 32768 bytes',
    '4: pools.os.env_file[1]: DIR/latin.env is not UTF-8',
  ]);
});

test('an environment file that others can read or change is refused, by its mode', () => {
  for (const mode of [0o600, 0o640, 0o400]) {
    assert.deepEqual(problemsOf(pool(`env_file: ${write('mode.env', 'A=b', mode)}`)), []);
  }
  const hint = '(chmod 0640 DIR/mode.env)';
  for (const [mode, why] of Object.entries({
    '0644': 'can be read by everybody on this machine (mode 0644)',
    '0604': 'can be read by everybody on this machine (mode 0604)',
    '0660': 'can be changed by others (mode 0660)',
    '0666': 'can be changed by others (mode 0666)',
  })) {
    write('mode.env', 'A=b', Number.parseInt(mode, 8));
    assert.deepEqual(problemsOf(pool('env_file: mode.env')), [
      `4: pools.os.env_file: DIR/mode.env ${why} ${hint}`,
    ]);
  }
  // Of a link the file counts.
  write('linked.env', 'A=b', 0o644);
  symlinkSync(join(dir, 'linked.env'), join(dir, 'link.env'));
  assert.match(problemsOf(pool('env_file: link.env')).join(), /link\.env can be read by everybody/);
});

test('a secret comes from one of file, command and credential', () => {
  const yaml = pool(
    'secrets:',
    '  A: { file: ./api-key }',
    '  B: { command: [vault, read, a b] }',
    '  C: { command: [./bin/php] }',
    '  D: { credential: stripe }',
  );
  assert.deepEqual(warningsOf(yaml), []);
  assert.deepEqual(
    [...(load(yaml).pools.get('os')?.secrets ?? [])],
    [
      ['A', { kind: 'file', path: join(dir, 'api-key') }],
      ['B', { kind: 'command', program: join(dir, 'bin/vault'), argv: ['vault', 'read', 'a b'] }],
      ['C', { kind: 'command', program: join(dir, 'bin/php'), argv: ['./bin/php'] }],
      ['D', { kind: 'credential', name: 'stripe' }],
    ],
  );
  const one = 'expected one of file, command and credential (DB_PASSWORD: { file: ./db-password })';
  assert.deepEqual(problemsOf(pool('secrets:', '  A: {}', '  B: { file: a, credential: b }')), [
    `5: pools.os.secrets.A: ${one}`,
    `6: pools.os.secrets.B: ${one}`,
  ]);
});

test('a value that stands where its source should is not repeated', () => {
  const problems = problemsOf(
    pool('secrets:', '  A: hunter22', '  B: { value: hunter22 }', '  9: { file: a }'),
  );
  assert.equal(problems.length, 3);
  assert.ok(!problems.join().includes('hunter22'), problems.join());
  assert.equal(
    problems[0],
    '5: pools.os.secrets.A: expected a mapping with one of file, command and credential',
  );
});

test('what can not be a secret is told by its key', () => {
  write('short', 'abcde\n');
  write('empty', '\n');
  write('nul', 'abc\0def');
  write('open', 'everybody-knows', 0o644);
  write('shared', 'everybody-writes', 0o662);
  const files = ['short', 'empty', 'nul', 'shared', 'missing'].map((name, n) => `  S${n}: { file: ${name} }`);
  assert.deepEqual(problemsOf(pool('secrets:', ...files)), [
    '5: pools.os.secrets.S0.file: DIR/short is shorter than 6 characters, and could not be hidden in logs',
    '6: pools.os.secrets.S1.file: DIR/empty is empty',
    '7: pools.os.secrets.S2.file: DIR/nul has a NUL byte, which no variable can have',
    '8: pools.os.secrets.S3.file: DIR/shared can be changed by others (mode 0662) (chmod 0640 DIR/shared)',
    '9: pools.os.secrets.S4.file: DIR/missing is not there',
  ]);
  assert.deepEqual(warningsOf(pool('secrets: { A: { file: open } }')), [
    'DIR/rocksyd.yaml:4: pools.os.secrets.A.file: DIR/open can be read by everybody on this machine',
  ]);
});

test('a name is no one else’s: not of env, not of Rocksy', () => {
  const yaml = pool(
    'env: { A: x }',
    'secrets:',
    '  A: { file: ./api-key }',
    '  ROCKSY_KEY: { file: ./api-key }',
  );
  assert.deepEqual(problemsOf(yaml), [
    '6: pools.os.secrets.A: A stands in env too: one of them has to go',
    '7: pools.os.secrets.ROCKSY_KEY: names that begin with ROCKSY_ are set by Rocksy itself',
  ]);
});

test('a command must be there and executable', () => {
  const commands = ['vaultt', './bin/text', './none'].map(
    (program, n) => `  C${n}: { command: [${program}] }`,
  );
  assert.deepEqual(problemsOf(pool('secrets:', ...commands)), [
    '5: pools.os.secrets.C0.command[0]: no program vaultt in PATH, which is DIR/bin',
    '6: pools.os.secrets.C1.command[0]: DIR/bin/text is not executable',
    '7: pools.os.secrets.C2.command[0]: DIR/none is not there',
  ]);
});

test('a credential that is not there now may be there for the service: a warning', () => {
  assert.deepEqual(warningsOf(pool('secrets: { A: { credential: none } }')), [
    'DIR/rocksyd.yaml:4: pools.os.secrets.A.credential: none is not there',
  ]);
  assert.deepEqual(
    warningsOf(pool('secrets: { A: { credential: stripe } }'), { ...asAda, credentials: null }),
    [
      'DIR/rocksyd.yaml:4: pools.os.secrets.A.credential: no credentials here ($CREDENTIALS_DIRECTORY is not set): the service has to have LoadCredential=stripe:…',
    ],
  );
  assert.match(problemsOf(pool('secrets: { A: { credential: ../x } }')).join(), /the name of a credential/);
});
