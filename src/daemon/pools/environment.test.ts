import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RocksyError } from '../../wire/index.ts';
import type { SecretSource } from '../config/index.ts';
import { readEnvironment } from './environment.ts';

const dir = mkdtempSync(join(tmpdir(), 'rocksy-environment-'));
after(() => rmSync(dir, { recursive: true }));
const never = new AbortController().signal;

function file(name: string, text: string, mode = 0o600): string {
  const path = join(dir, name);
  rmSync(path, { force: true });
  writeFileSync(path, text, { mode });
  return path;
}

function sh(script: string): SecretSource {
  return { kind: 'command', program: '/bin/sh', argv: ['sh', '-c', script] };
}

interface Sources {
  readonly env?: Readonly<Record<string, string>>;
  readonly envFiles?: readonly string[];
  readonly secrets?: Readonly<Record<string, SecretSource>>;
}

function read({ env = {}, envFiles = [], secrets = {} }: Sources, signal = never) {
  const maps = { env: new Map(Object.entries(env)), secrets: new Map(Object.entries(secrets)) };
  return readEnvironment({ name: 'web', envFiles, ...maps }, dir, signal);
}

async function refusalOf(sources: Sources): Promise<RocksyError> {
  const error = await read(sources).then(
    () => assert.fail('it was read'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RocksyError && error.code === 'bootstrap_failed');
  return error;
}

test('variables come from everywhere, and the later counts', async () => {
  mkdirSync(join(dir, 'credentials'), { recursive: true });
  process.env.CREDENTIALS_DIRECTORY = join(dir, 'credentials');
  file('credentials/c', 'from-credential');
  const envFiles = [
    file('a.env', 'A=a-of-first\nB=b-of-first\nD=d-of-first'),
    file('b.env', 'B=b-of-second\nS=1'),
  ];
  const { variables, secrets, unhidden } = await read({
    env: { A: 'a-of-env', E: 'e-of-env' },
    envFiles,
    secrets: {
      D: sh('echo d-of-command'),
      F: { kind: 'file', path: file('f', 'of-file\n\n') },
      C: { kind: 'credential', name: 'c' },
    },
  });
  delete process.env.CREDENTIALS_DIRECTORY;
  assert.deepEqual(Object.fromEntries(variables), {
    A: 'a-of-first',
    B: 'b-of-second',
    C: 'from-credential',
    D: 'd-of-command',
    E: 'e-of-env',
    F: 'of-file',
    S: '1',
  });
  assert.deepEqual(
    new Set(secrets),
    new Set(['a-of-first', 'b-of-second', 'from-credential', 'd-of-command', 'of-file']),
  );
  assert.deepEqual(unhidden, ['S']);
});

test('what fails is told with the variable and its source, and nothing of a value', async () => {
  const cases: readonly (readonly [Sources, string])[] = [
    [
      { secrets: { DB: sh('echo s3cret-part; exit 2') } },
      `pool web: secret DB: the command sh -c 'echo s3cret-part; exit 2' ended with code 2`,
    ],
    [
      { secrets: { DB: sh('echo a') } },
      "pool web: secret DB: the command sh -c 'echo a': what it prints is shorter than 6 characters, and could not be hidden in logs",
    ],
    [{ secrets: { DB: sh('true') } }, 'pool web: secret DB: the command sh -c true: what it prints is empty'],
    [
      { secrets: { DB: sh("printf '\\377\\377'") } },
      `pool web: secret DB: the command sh -c 'printf '\\''\\377\\377'\\''' prints what is not UTF-8`,
    ],
    [{ secrets: { DB: { kind: 'file', path: '/no/such' } } }, 'pool web: secret DB: /no/such is not there'],
    [
      { secrets: { DB: { kind: 'credential', name: 'db' } } },
      'pool web: secret DB: credential db: $CREDENTIALS_DIRECTORY is not set',
    ],
    [
      { envFiles: [file('open.env', 'A=s3cret', 0o644)] },
      `pool web: env_file: ${dir}/open.env can be read by everybody on this machine (mode 0644)`,
    ],
    [
      { envFiles: [file('bad.env', 'A=1\ns3cret')] },
      `pool web: env_file: ${dir}/bad.env:2: expected NAME=VALUE`,
    ],
  ];
  for (const [sources, message] of cases) assert.equal((await refusalOf(sources)).message, message);
  assert.match((await refusalOf({ secrets: { A: sh('exit 1') } })).hint ?? '', /run it by hand/);
});

test('one that fails ends the others', async () => {
  const began = performance.now();
  const { message } = await refusalOf({ secrets: { A: sh('sleep 9'), B: sh('sleep 0.1; exit 1') } });
  assert.match(message, /secret B: .* ended with code 1/);
  assert.ok(performance.now() - began < 5_000);
});
