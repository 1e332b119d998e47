// Secrets of pools: where they come from, that runs have them, and that nobody is shown them.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { RunRequest } from '../../src/client/index.ts';
import { FakeCloud } from '../../src/daemon/link/fixtures/cloud.ts';
import { type DaemonOptions, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';
import { JOBS, php, sh } from '../support/runs.ts';
import { Wire } from '../support/wire.ts';

type Fields = Record<string, unknown>;

/** Values that stand nowhere else on this machine. */
class Values {
  readonly env = unique();
  readonly file = unique();
  readonly command = unique();
  readonly credential = `${unique()}"quoted\\ and/slashed`;

  get all(): string[] {
    return [this.env, this.file, this.command, this.credential.slice(0, 30)];
  }
}

function unique(): string {
  return `S3c-${randomBytes(16).toString('hex')}`;
}

const NAMES = ['FROM_ENV', 'FROM_FILE', 'FROM_COMMAND', 'FROM_CREDENTIAL'];

const SOURCES = `    env_file: ./secrets.env
    secrets:
      FROM_FILE: { file: ./from-file }
      FROM_COMMAND: { command: [./tell, FROM_COMMAND] }
      FROM_CREDENTIAL: { credential: stripe }
    nice: 1
    rlimits: { core: 0 }
    {user}`;

const POOLS = `  os:
    runtime: command
${SOURCES}
  web:
    runtime: php
    bootstrap: ./bootstrap.php
    prefork: 1
${SOURCES}`;

/** Fails, when a file says so, as bootstraps do: with what it knows. */
const BOOTSTRAP = `<?php
require '${JOBS}';
if (is_file(__DIR__ . '/broken')) {
    echo 'printed ', getenv('FROM_FILE'), "\\n";
    throw new RuntimeException('thrown ' . getenv('FROM_COMMAND'));
}
`;

const OPTIONS: DaemonOptions = {
  pools: POOLS,
  more: 'default_pool: os\nlog: { level: trace }',
  files: { 'bootstrap.php': BOOTSTRAP },
  env: { CREDENTIALS_DIRECTORY: '{folder}/credentials' },
};

function prepare(values: Values, options: DaemonOptions = OPTIONS): TestDaemon {
  const daemon = TestDaemon.prepare(options);
  fs.mkdirSync(path.join(daemon.folder, 'credentials'));
  rotate(daemon, values);
  return daemon;
}

function rotate(daemon: TestDaemon, values: Values): void {
  write(daemon, 'secrets.env', `# for the tests\nFROM_ENV='${values.env}'\nSHORT=abc\n`);
  write(daemon, 'from-file', `${values.file}\n`);
  write(daemon, 'credentials/stripe', values.credential);
  tells(daemon, `printf '%s\\n' ${values.command}`);
}

/** What the command does that tells a secret. */
function tells(daemon: TestDaemon, script: string): void {
  write(daemon, 'tell', `#!/bin/sh\n${script}\n`, 0o700);
}

function write({ folder }: TestDaemon, name: string, text: string, mode = 0o600): void {
  const file = path.join(folder, name);
  fs.writeFileSync(`${file}.new`, text, { mode });
  fs.renameSync(`${file}.new`, file);
}

/** What daemons keep in memory stays until the machine is started again; tests leave nothing. */
function forgetKept({ state }: TestDaemon): Disposable {
  const links = (): string[] =>
    fs.globSync('pools/*/gen-*.secrets', { cwd: state }).map((link) => path.join(state, link));
  return {
    [Symbol.dispose]: () => links().forEach((link) => void fs.rmSync(fs.readlinkSync(link), { force: true })),
  };
}

/** Starts it, and waits until its pools have. */
async function started(daemon: TestDaemon): Promise<TestDaemon> {
  await daemon.start();
  await daemon.settled();
  return daemon;
}

/** A client that keeps every line that it hears. */
class Ear implements Disposable {
  readonly heard: string[];
  readonly #wire: Wire;
  readonly #waiting = new Map<number, (answer: Fields) => void>();
  #last = 0;

  private constructor(wire: Wire, heard: string[]) {
    this.#wire = wire;
    this.heard = heard;
    void this.#listen();
  }

  static async open(daemon: TestDaemon, heard: string[] = []): Promise<Ear> {
    return new Ear(await Wire.open(daemon.socket), heard);
  }

  async #listen(): Promise<void> {
    for (let line = await this.#wire.line(); line !== null; line = await this.#wire.line()) {
      this.heard.push(line);
      const answer = JSON.parse(line) as Fields;
      if (!('event' in answer)) this.#waiting.get(Number(answer.id))?.(answer);
    }
  }

  ask(name: string, fields: object = {}): Promise<Fields> {
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#wire.send(`${name} ${JSON.stringify({ id, ...fields })}`);
    });
  }

  async ok(name: string, fields: object = {}): Promise<Fields> {
    const answer = await this.ask(name, fields);
    assert.equal(answer.ok, true, JSON.stringify(answer));
    return answer;
  }

  /** Starts a run and resolves with it when it has ended. */
  async run(request: RunRequest): Promise<Fields> {
    await this.ok('run', request);
    return (await this.ok('wait', { key: request.key })).run as Fields;
  }

  [Symbol.dispose](): void {
    this.#wire[Symbol.dispose]();
  }
}

/** Looks at the arguments and titles of all processes, again and again: short-lived ones are among them. */
class Onlooker implements Disposable {
  readonly #found = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #looks = 0;

  constructor(secrets: readonly string[]) {
    this.#timer = setInterval(() => {
      this.#looks++;
      for (const name of fs.readdirSync('/proc')) if (/^\d+$/.test(name)) this.#look(name, secrets);
    }, 2);
  }

  #look(pid: string, secrets: readonly string[]): void {
    const shown = ['cmdline', 'comm'].map((file) => read(`/proc/${pid}/${file}`).toString()).join('\n');
    if (secrets.some((secret) => shown.includes(secret))) this.#found.add(shown);
  }

  get found(): string[] {
    assert.ok(this.#looks > 10, 'nobody has looked');
    return [...this.#found];
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function read(file: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch {
    // It has ended, or is gone.
    return Buffer.alloc(0);
  }
}

/** Files below a folder that hold one of the secrets, by their paths in it. Links are not followed. */
function filesWith(folder: string, secrets: readonly string[]): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => secrets.some((secret) => read(file).includes(secret)))
    .map((file) => path.relative(folder, file))
    .sort();
}

function assertHidden(lines: readonly string[], secrets: readonly string[], where: string): void {
  for (const line of lines) {
    for (const secret of secrets) assert.ok(!line.includes(secret), `${where}: ${line}`);
  }
}

const PRINT = NAMES.map((name) => `printf 'out %s\\n' "$${name}"; printf 'err %s\\n' "$${name}" >&2;`).join(
  ' ',
);
const REPORT = `
echo "progress 50 at $FROM_ENV of $FROM_COMMAND" >> "$ROCKSY_RUN_FILE"
read _ < "$0"
echo "error failed with $FROM_FILE" >> "$ROCKSY_RUN_FILE"
printf 'result {"deep":[{"%s":"is %s"}],"list":["%s"]}\\n' "$FROM_ENV" "$FROM_FILE" "$FROM_COMMAND" >> "$ROCKSY_RUN_FILE"
exit 3`;

const ALL = `$all = array_map('getenv', ${JSON.stringify(NAMES)});`;

test('a secret is in the environment and nowhere that anybody is shown', async () => {
  const values = new Values();
  using onlooker = new Onlooker(values.all);
  await using daemon = prepare(values);
  using _kept = forgetKept(daemon);
  await started(daemon);
  using gate = new Gate(daemon);
  const heard: string[] = [];
  using ear = await Ear.open(daemon, heard);
  await ear.ok('subscribe', {});
  await ear.ok('run', { ...sh('os', PRINT + REPORT), argv: ['sh', '-c', PRINT + REPORT, gate.path] });
  await ear.ok(
    'run',
    php(
      'web',
      `${ALL} echo json_encode($all), "\\n", implode("\\n", $all), "\\n";
       \\Rocksy\\progress(50, "at $all[0] of $all[3]");
       file_get_contents('${gate.path}');
       return ['deep' => [['all' => $all]], $all[3] => "is $all[1]"];`,
    ),
  );
  const following = Promise.all([
    ear.ok('logs', { key: 'os', follow: true }),
    ear.ok('logs', { key: 'web', follow: true }),
  ]);
  for (const key of ['os', 'web']) {
    const running = await until(`${key} tells its progress`, async () => {
      const run = (await ear.ok('status', { key })).run as Fields;
      return run.progress === null ? null : run;
    });
    assert.match(JSON.stringify(running.progress), /at \*\*\* of \*\*\*/);
  }
  await until(
    'subscribers are told too',
    () => heard.filter((line) => line.includes('"event":"progress"')).length >= 2,
  );
  await ear.ok('list');
  gate.open();
  await following;
  const ended = (await ear.ok('wait', { key: 'os' })).run as Fields;
  assert.equal(ended.error, 'failed with ***');
  assert.deepEqual(ended.result, { deep: [{ '***': 'is ***' }], list: ['***'] });
  const webEnded = (await ear.ok('wait', { key: 'web' })).run as Fields;
  assert.deepEqual(webEnded.result, { deep: [{ all: ['***', '***', '***', '***'] }], '***': 'is ***' });
  const thrown = await ear.run(php('thrown', `${ALL} throw new RuntimeException("$all[0] and $all[3]");`));
  assert.match(String(thrown.error), /RuntimeException: \*\*\* and \*\*\*/);

  for (const key of ['os', 'web', 'thrown']) {
    const { data } = await ear.ok('logs', { key });
    assert.match(String(data), /\*\*\*/, key);
    // However a log is cut, nobody gets a secret out of it.
    for (let offset = 0; offset < 300; offset += 7) await ear.ok('logs', { key, offset, length: 11 });
    for (const text of [...values.all, values.env.slice(4, 12), values.command.slice(-8)]) {
      assert.deepEqual((await ear.ok('search', { key, text })).matches, [], key);
    }
    assert.notDeepEqual((await ear.ok('search', { key, text: '***' })).matches, []);
    await ear.ok('check', { key });
    await ear.ok('status', { key });
  }
  for (const name of ['list', 'pools', 'stats']) await ear.ok(name);

  write(daemon, 'broken', '', 0o644);
  const refused = await ear.ask('reload', { pool: 'web' });
  assert.equal(refused.code, 'bootstrap_failed');
  assert.match(String(refused.output), /printed \*\*\*[\s\S]*thrown \*\*\*/);
  await ear.ok('pools');
  fs.rmSync(path.join(daemon.folder, 'broken'));

  // The runs and their zygotes do have them.
  const environ = read(`/proc/${await daemon.zygotePid('os')}/environ`);
  for (const secret of values.all) assert.ok(environ.includes(secret));
  const raw = fs.readFileSync(path.join(daemon.state, 'pools/os/runs/os.log'), 'utf8');
  assert.deepEqual(
    raw.split('\n').filter((line) => line.startsWith('out ')),
    [values.env, values.file, values.command, values.credential].map((value) => `out ${value}`),
  );

  assertHidden(heard, values.all, 'answered');
  assertHidden(daemon.output, values.all, 'logged');
  assert.ok(
    daemon.output.some((line) => line.includes('SHORT')),
    'a short value is warned of',
  );
  await daemon.stop();
  assertHidden(daemon.output, values.all, 'logged');
  const own = /^pools\/(os|web)\/runs\/(os|web|thrown)\.(log|run)$/;
  const boot = /^pools\/web\/gen-2\.log$/;
  const files = filesWith(daemon.state, values.all);
  assert.deepEqual(
    files.filter((file) => !own.test(file) && !boot.test(file)),
    [],
  );
  assert.ok(files.length >= 4, files.join());
  const inJournal = (name: string): boolean => read(path.join(daemon.state, 'journal.db')).includes(name);
  assert.ok(inJournal('failed with ***') && inJournal('is ***'));
  assert.deepEqual(onlooker.found, []);
});

test('the cloud is shown no secret either', async () => {
  const values = new Values();
  await using cloud = await FakeCloud.start();
  const join = `{ url: ${cloud.url}, token_file: ./join-token, name: web-1, pools: [os, web] }`;
  await using daemon = prepare(values, {
    ...OPTIONS,
    more: `${OPTIONS.more}\njoin: ${join}`,
    files: { ...OPTIONS.files, 'join-token': 'token-1\n' },
  });
  using _kept = forgetKept(daemon);
  await started(daemon);
  const link = await cloud.link();
  await link.ask('host', { incarnation: 1 });
  await link.ask('subscribe', { events: ['exited', 'progress'] });
  const script = `${PRINT} echo "result [[\\"$FROM_ENV\\"]]" >> "$ROCKSY_RUN_FILE"`;
  await link.ask('run', { ...sh('k', script) });
  const told = [
    await link.pushed.next(),
    await link.ask('wait', { key: 'k' }),
    await link.ask('logs', { key: 'k' }),
  ];
  assert.match(JSON.stringify(told[0]), /"result":\[\["\*\*\*"\]\]/);
  assert.match(JSON.stringify(told[2]), /out \*\*\*/);
  assertHidden(
    told.map((each) => JSON.stringify(each)),
    values.all,
    'told',
  );
});

test('a reload brings in new values; those of before stay hidden, over a restart, a crash and a stop', async () => {
  const [first, second] = [new Values(), new Values()];
  await using daemon = prepare(first);
  using _kept = forgetKept(daemon);
  await started(daemon);
  const heard: string[] = [];
  let ear = await Ear.open(daemon, heard);
  using gate = new Gate(daemon);
  const waits = `${PRINT} read _ < "$0"; ${PRINT}`;
  await ear.ok('run', { ...sh('old', waits), argv: ['sh', '-c', waits, gate.path] });
  // Goes over to the successor, and ends with the worker that is killed.
  void ear.ok('logs', { key: 'old', follow: true });

  rotate(daemon, second);
  // Only a generation that is started reads anything.
  await ear.run(sh('before', PRINT));
  const [{ generation }] = (await ear.ok('reload', { pool: 'os' })).pools as [{ generation: number }];
  await ear.run(sh('new', PRINT));
  const secrets = [...first.all, ...second.all];
  const raw = (key: string): string => read(path.join(daemon.state, `pools/os/runs/${key}.log`)).toString();
  for (const secret of first.all) assert.ok(raw('old').includes(secret) && raw('before').includes(secret));
  for (const secret of second.all) assert.ok(raw('new').includes(secret) && !raw('before').includes(secret));
  const listen = async (): Promise<void> => {
    for (const key of ['old', 'before', 'new']) {
      assert.match(String((await ear.ok('logs', { key })).data), /out \*\*\*/);
      await ear.ok('status', { key });
    }
  };
  await listen();

  // The successor knows what its predecessor knew, and another generation is not needed.
  await ear.ok('restart');
  await listen();
  assert.equal(await servingGeneration(ear, 'os'), generation);
  const worker = await daemon.workerPid();
  process.kill(worker, 'SIGKILL');
  await until('another worker serves', async () => (await daemon.workerPid().catch(() => worker)) !== worker);
  ear[Symbol.dispose]();
  ear = await Ear.open(daemon, heard);
  await daemon.settled();
  await listen();
  assert.equal(await servingGeneration(ear, 'os'), generation);
  const following = ear.ok('logs', { key: 'old', follow: true });
  gate.open();
  await following;
  await until('the old generation has ended', async () => (await generationsOf(ear, 'os')).length === 1);
  await listen();

  // No zygote is left; logs are.
  ear[Symbol.dispose]();
  await daemon.stop();
  await started(daemon);
  ear = await Ear.open(daemon, heard);
  await listen();
  ear[Symbol.dispose]();
  assertHidden(heard, secrets, 'answered');
  assertHidden(daemon.output, secrets, 'logged');
});

interface GenerationView {
  readonly number: number;
  readonly state: string;
}

async function generationsOf(ear: Ear, pool: string): Promise<readonly GenerationView[]> {
  const views = (await ear.ok('pools')).pools as { name: string; generations: GenerationView[] }[];
  return views.find(({ name }) => name === pool)?.generations ?? [];
}

/** As soon as one serves. */
function servingGeneration(ear: Ear, pool: string): Promise<number> {
  return until(`a generation of ${pool} serves`, async () => {
    return (await generationsOf(ear, pool)).findLast(({ state }) => state === 'serving')?.number;
  });
}

test('a source that fails refuses the new generation, says which, and the old one serves on', async () => {
  const values = new Values();
  await using daemon = prepare(values);
  using _kept = forgetKept(daemon);
  await started(daemon);
  using ear = await Ear.open(daemon);
  const before = await servingGeneration(ear, 'os');
  const refusal = async (): Promise<string> => {
    const { code, message } = await ear.ask('reload', { pool: 'os' });
    assert.equal(code, 'bootstrap_failed');
    return String(message);
  };
  const leaked = unique();
  tells(daemon, `echo ${leaked}; echo ${leaked} >&2; exit 3`);
  assert.equal(
    await refusal(),
    'pool os: secret FROM_COMMAND: the command ./tell FROM_COMMAND ended with code 3',
  );
  tells(daemon, 'echo abc');
  assert.match(await refusal(), /what it prints is shorter than 6 characters/);
  tells(daemon, `echo ${values.command}`);
  fs.chmodSync(path.join(daemon.folder, 'secrets.env'), 0o644);
  assert.match(await refusal(), /^pool os: env_file: .*secrets\.env can be read by everybody .*0644/);
  fs.chmodSync(path.join(daemon.folder, 'secrets.env'), 0o600);
  fs.rmSync(path.join(daemon.folder, 'credentials/stripe'));
  assert.match(await refusal(), /^pool os: secret FROM_CREDENTIAL: .*stripe is not there/);

  assert.equal(await servingGeneration(ear, 'os'), before);
  assert.equal((await ear.run(sh('k', PRINT))).outcome, 'succeeded');
  write(daemon, 'credentials/stripe', values.credential);
  await ear.ok('reload', { pool: 'os' });
  assertHidden([...ear.heard, ...daemon.output], [leaked, ...values.all], 'told');
});

test('a pool whose command fails at the start serves as soon as it does not', async () => {
  const values = new Values();
  await using daemon = prepare(values);
  using _kept = forgetKept(daemon);
  tells(daemon, 'exit 1');
  await daemon.start();
  using ear = await Ear.open(daemon);
  const problem = await until('the pool has failed', async () => {
    const views = (await ear.ok('pools')).pools as { name: string; problem: string | null }[];
    return views.find(({ name }) => name === 'os')?.problem;
  });
  assert.match(problem, /secret FROM_COMMAND: the command \.\/tell FROM_COMMAND ended with code 1/);
  tells(daemon, `echo ${values.command}`);
  await servingGeneration(ear, 'os');
  assert.equal((await ear.run(sh('k', PRINT))).outcome, 'succeeded');
  await ear.ok('logs', { key: 'k' });
  // What a client says itself is not repeated to others.
  assert.deepEqual((await ear.run(sh('said', '', { argv: ['true', values.env] }))).argv, ['true', '***']);
  assertHidden(ear.heard, values.all, 'answered');
});

test('where the values of a generation are lost with its daemon, another one takes its place', async () => {
  const values = new Values();
  await using daemon = prepare(values);
  using _kept = forgetKept(daemon);
  await started(daemon);
  using ear = await Ear.open(daemon);
  const before = await servingGeneration(ear, 'os');
  const link = path.join(daemon.state, `pools/os/gen-${before}.secrets`);
  fs.rmSync(fs.readlinkSync(link));
  await ear.ok('restart');
  await until('another generation serves', async () => (await servingGeneration(ear, 'os')) > before);
  assert.equal((await ear.run(sh('k', PRINT))).outcome, 'succeeded');
  await ear.ok('logs', { key: 'k' });
  assertHidden(ear.heard, values.all, 'answered');
  assert.ok(daemon.output.some((line) => line.includes('not known any more')));
});
