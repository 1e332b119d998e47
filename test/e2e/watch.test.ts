// `rocksyd --watch`, as a developer has it: files are saved, and the next run or the terminal tells.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Client, PoolView } from '../../src/client/index.ts';
import { type DaemonOptions, TestDaemon, until } from '../support/daemon.ts';
import { Gate } from '../support/gate.ts';

const AUTOLOAD =
  "<?php spl_autoload_register(function (string $class): void { require __DIR__ . '/src/' . $class . '.php'; });";

function php(value: number, name = 'Version'): string {
  return `<?php final class ${name} { public function run(array $params): int { return ${value}; } }`;
}

function python(value: number): string {
  return `class Version:\n    def run(self, params):\n        return ${value}\n`;
}

function node(value: number): string {
  return `export default class Version { run(): number { return ${value}; } }`;
}

/** A daemon that watches, and somebody who works with it. */
class Desk implements AsyncDisposable {
  readonly daemon: TestDaemon;
  #client: Client | null = null;
  #keys = 0;
  #read = 0;

  private constructor(options: DaemonOptions) {
    this.daemon = TestDaemon.prepare({ ...options, args: ['--watch'] });
  }

  static async open(options: DaemonOptions): Promise<Desk> {
    const desk = new Desk(options);
    await desk.daemon.start();
    await desk.daemon.settled();
    // What was there before is not what the test changes.
    for (const { name, runtime } of await (await desk.#connected()).pools()) {
      if (runtime !== 'command') await desk.reads(new RegExp(` ${name}: watching \\d+ folders?`));
    }
    return desk;
  }

  async #connected(): Promise<Client> {
    this.#client ??= await this.daemon.connect();
    return this.#client;
  }

  write(name: string, text: string): void {
    this.daemon.write(name, text);
  }

  /** What a class returns. */
  async runs(pool = 'app', job = 'Version'): Promise<number | null> {
    const client = await this.#connected();
    const key = `run-${++this.#keys}`;
    await client.run({ key, pool, class: job });
    return (await client.wait(key)).code;
  }

  /** Resolves when the terminal shows this, after what was read from it before. */
  async reads(text: RegExp): Promise<string> {
    const unread = (): string => this.daemon.output.slice(this.#read).join('\n');
    const shown = await until(`the terminal shows ${text}`, () =>
      text.test(unread()) ? unread() : null,
    ).catch((error: Error) => assert.fail(`${error.message}\n${unread()}`));
    this.#read = this.daemon.output.length;
    return shown;
  }

  async view(pool = 'app'): Promise<PoolView> {
    const view = (await (await this.#connected()).pools()).find(({ name }) => name === pool);
    assert.ok(view !== undefined);
    return view;
  }

  async generation(): Promise<number> {
    return (await this.view()).generations.findLast(({ state }) => state === 'serving')?.number ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }
}

const PHP_POOL = '  app: { runtime: php, bootstrap: ./app/bootstrap.php, prefork: 2, {user} }';
const PHP_FILES = { 'app/bootstrap.php': AUTOLOAD, 'app/src/Version.php': php(1) };

interface Language {
  readonly pool: string;
  readonly files: Readonly<Record<string, string>>;
  /** A file that a bootstrap or a run loads. */
  readonly code: string;
  readonly version: (value: number) => string;
  readonly broken: string;
  /** Where it is broken, as the terminal has to say it. */
  readonly place: RegExp;
}

const LANGUAGES: Readonly<Record<string, Language>> = {
  'PHP, in a class that only runs load': {
    pool: PHP_POOL,
    files: PHP_FILES,
    code: 'app/src/Version.php',
    version: php,
    // A class that is not loaded with the bootstrap breaks its runs only.
    broken: '',
    place: /./,
  },
  'PHP, in the bootstrap': {
    pool: PHP_POOL,
    files: { 'app/bootstrap.php': php(1) },
    code: 'app/bootstrap.php',
    version: php,
    broken: `<?php\nfinal class Version {\n  public function run(array $params): int { return 1 }\n}\n`,
    place: /unexpected token "}".*app\/bootstrap\.php:3/,
  },
  Python: {
    pool: '  app: { runtime: python, interpreter: /usr/bin/python3, jobs: ./app/jobs, {user} }',
    files: { 'app/jobs/version.py': python(1) },
    code: 'app/jobs/version.py',
    version: python,
    broken: 'class Version:\n    def run(self, params)\n        return 1\n',
    place: /File ".*app\/jobs\/version\.py", line 2/,
  },
  Node: {
    pool: '  app: { runtime: node, jobs: ./app/jobs, {user} }',
    files: { 'app/jobs/Version.ts': node(1) },
    code: 'app/jobs/Version.ts',
    version: node,
    broken: 'export default class Version {\n  run(): number { return 1; }\n',
    place: /app\/jobs\/Version\.ts:\d/,
  },
};

for (const [language, { pool, files, code, version, broken, place }] of Object.entries(LANGUAGES)) {
  describe(language, () => {
    test('the next run has what was just saved, however often', async () => {
      await using desk = await Desk.open({ pools: pool, files });
      for (let value = 1; value <= 5; value++) {
        if (value > 1) desk.write(code, version(value));
        assert.equal(await desk.runs(), value);
      }
    });

    test('code that can not be loaded is shown at once, the old serves on, and mending is told', {
      skip: broken === '',
    }, async () => {
      await using desk = await Desk.open({ pools: pool, files });
      desk.write(code, broken);
      assert.equal(await desk.runs(), 1);
      const shown = await desk.reads(
        /app: its code can't be loaded; generation 1 serves on[\s\S]*ended with/,
      );
      assert.match(shown, place);
      assert.match((await desk.view()).problem ?? '', /ended with code/);
      desk.write(code, version(2));
      assert.equal(await desk.runs(), 2);
      await desk.reads(/app: mended, generation \d+ serves the new code/);
      assert.equal((await desk.view()).problem, null);
    });
  });
}

test('a new file counts, and a file that is taken away', async () => {
  await using desk = await Desk.open({
    pools: '  app: { runtime: node, jobs: ./app/jobs, {user} }',
    files: { 'app/jobs/Version.ts': node(1) },
  });
  desk.write('app/jobs/Second.ts', node(2));
  assert.equal(await desk.runs('app', 'Second'), 2);
  fs.rmSync(path.join(desk.daemon.folder, 'app/jobs/Second.ts'));
  assert.equal(await desk.runs('app', 'Second'), 255);
});

test('an editor that saves by renaming, and a module in a folder that is new', async () => {
  await using desk = await Desk.open({ pools: PHP_POOL, files: PHP_FILES });
  const { folder } = desk.daemon;
  desk.write('app/src/.Version.php.tmp', php(2));
  fs.renameSync(path.join(folder, 'app/src/.Version.php.tmp'), path.join(folder, 'app/src/Version.php'));
  assert.equal(await desk.runs(), 2);
  desk.write('app/bootstrap.php', AUTOLOAD.replace('/src/', '/lib/deep/'));
  desk.write('app/lib/deep/Version.php', php(3));
  assert.equal(await desk.runs(), 3);
  desk.write('app/lib/deep/Version.php', php(4));
  assert.equal(await desk.runs(), 4);
});

test('what the inspection refuses is shown with its name', async () => {
  await using desk = await Desk.open({ pools: PHP_POOL, files: PHP_FILES });
  desk.write('app/bootstrap.php', `${AUTOLOAD} $GLOBALS['log'] = fopen('./scratch/app.log', 'a');`);
  assert.equal(await desk.runs(), 1);
  await desk.reads(
    /app: its code can't be loaded; generation 1 serves on[\s\S]*scratch\/app\.log open for writing/,
  );
});

test('a bootstrap that is broken at the start ends nothing: it is shown once, and waits to be mended', async () => {
  await using desk = await Desk.open({
    pools: PHP_POOL,
    files: { ...PHP_FILES, 'app/bootstrap.php': '<?php throw new RuntimeException("no kernel");' },
  });
  const shown = desk.daemon.output.join('\n');
  assert.match(
    shown,
    /app: its code can't be loaded; nothing serves until it is mended\n[\s\S]*no kernel[\s\S]*bootstrap\.php/,
  );
  await assert.rejects(desk.runs(), /does not serve/);
  desk.write('app/bootstrap.php', AUTOLOAD);
  await desk.reads(/app: mended, generation 2 serves the new code/);
  assert.equal(await desk.runs(), 1);
});

test('many files at once are few reloads, and what is no source is none', async () => {
  await using desk = await Desk.open({ pools: PHP_POOL, files: PHP_FILES });
  for (let n = 0; n < 400; n++) desk.write(`app/src/many/${n % 20}/Class${n}.php`, php(n, `Class${n}`));
  desk.write('app/src/Version.php', php(2));
  assert.equal(await desk.runs(), 2);
  assert.ok((await desk.generation()) <= 10, `generation ${await desk.generation()}`);
  const before = await desk.generation();
  for (const name of [
    'app/app.log',
    'app/data.sqlite',
    'app/.Version.php.swp',
    'app/src/Version.php~',
    'app/4913',
  ]) {
    desk.write(name, 'x');
  }
  for (const name of [
    'vendor/a/A.php',
    'node_modules/a/a.json',
    '.git/a.json',
    'var/cache/a.php',
    'app/tool.py',
  ]) {
    desk.write(name, '');
  }
  assert.equal(await desk.runs(), 2);
  assert.equal(await desk.generation(), before);
});

test('what is saved while code is being loaded leads to one more load', async () => {
  await using desk = await Desk.open({ pools: PHP_POOL, files: PHP_FILES });
  using gate = new Gate(desk.daemon);
  const loaded = path.join(desk.daemon.scratch, 'loaded');
  desk.write(
    'app/bootstrap.php',
    `${AUTOLOAD} require __DIR__ . '/src/Version.php'; touch('${loaded}'); file_get_contents('${gate.path}');`,
  );
  await until('the bootstrap has loaded the class', () => fs.existsSync(loaded));
  desk.write('app/src/Version.php', php(2));
  const run = desk.runs();
  gate.open();
  assert.equal(await run, 2);
});

test('a bootstrap that writes files of its own makes no loop: at first three loads, then one a save', async () => {
  const counting = `${AUTOLOAD}
    $n = (int) @file_get_contents('./scratch/n') + 1;
    file_put_contents('./scratch/n', (string) $n);
    file_put_contents('./scratch/compiled.php', "<?php return $n;");`;
  await using desk = await Desk.open({ pools: PHP_POOL, files: PHP_FILES });
  desk.write('app/bootstrap.php', counting);
  await desk.reads(/scratch\/compiled\.php changed during each of several loads in a row/);
  assert.equal(await desk.runs(), 1);
  assert.equal(await desk.generation(), 4);
  desk.write('app/src/Version.php', php(2));
  assert.equal(await desk.runs(), 2);
  assert.equal(await desk.generation(), 5);
});

test('a release link that moves, and a folder that is deleted and made again', async () => {
  await using desk = await Desk.open({
    pools: PHP_POOL.replace('./app/', './current/'),
    files: { 'releases/1/bootstrap.php': php(1), 'releases/2/bootstrap.php': php(2) },
    links: { current: 'releases/1' },
  });
  assert.equal(await desk.runs(), 1);
  const current = path.join(desk.daemon.folder, 'current');
  fs.symlinkSync('releases/2', `${current}.new`);
  fs.renameSync(`${current}.new`, current);
  await desk.reads(/app: generation 2 serves the new code/);
  assert.equal(await desk.runs(), 2);
  const release = path.join(desk.daemon.folder, 'releases/2');
  fs.rmSync(release, { recursive: true });
  await desk.reads(/app: its code can't be loaded; generation 2 serves on/);
  desk.write('releases/2/bootstrap.php', php(3));
  await desk.reads(/app: mended, generation \d+ serves the new code/);
  assert.equal(await desk.runs(), 3);
});

test('the configuration is taken up as it changes, and its mistakes are shown', async () => {
  await using desk = await Desk.open({ pools: PHP_POOL, files: PHP_FILES });
  const { daemon } = desk;
  daemon.configure({ pools: `${PHP_POOL}\n  more: { runtime: php, bootstrap: ./none.php, {user} }` });
  await desk.reads(
    /the configuration of before stays in force\n[\s\S]*rocksyd\.yaml:\d+: .*none\.php is not there/,
  );
  assert.equal(await desk.runs(), 1);
  daemon.configure({
    more: 'default_pool: app',
    pools: `${PHP_POOL}\n  more: { runtime: php, bootstrap: ./app/more.php, {user} }`,
    files: { 'app/more.php': php(7) },
  });
  await desk.reads(/more: watching \d+ folders?/);
  assert.equal(await desk.runs('more'), 7);
});

test('a restart of the daemon goes on watching, and what was saved while nobody watched counts', async () => {
  await using desk = await Desk.open({ pools: PHP_POOL, files: PHP_FILES });
  const { daemon } = desk;
  await (await daemon.connect()).restart();
  await desk.reads(/app: watching \d+ folders?/);
  desk.write('app/src/Version.php', php(2));
  assert.equal(await desk.runs(), 2);
  await daemon.killAll();
  desk.write('app/src/Version.php', php(3));
  await daemon.start();
  await using client = await daemon.connect();
  await desk.reads(/app: generation \d+ serves the new code/);
  await client.run({ key: 'after', pool: 'app', class: 'Version' });
  assert.equal((await client.wait('after')).code, 3);
});

test('a service of systemd is told that this is not for it', () => {
  const program = path.resolve(import.meta.dirname, '../../bin/rocksyd.cjs');
  const folder = TestDaemon.prepare({ pools: '  os: { runtime: command, {user} }' }).folder;
  const { status, stderr } = spawnSync(program, ['--watch', '--config', path.join(folder, 'rocksyd.yaml')], {
    env: { ...process.env, NOTIFY_SOCKET: '/run/systemd/notify' },
    encoding: 'utf8',
  });
  fs.rmSync(folder, { recursive: true });
  assert.equal(status, 2);
  assert.match(stderr, /--watch is for developers/);
});
