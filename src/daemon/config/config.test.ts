import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DocumentError } from '../../document/index.ts';
import { asRoot, dir, file, load } from './fixtures/machine.ts';
import { configSchema, loadConfig, realSurroundings } from './index.ts';

const docs = readFileSync(join(import.meta.dirname, '../../../docs/configuration.md'), 'utf8');
const fullExample = /## The full example[\s\S]*?```yaml\n([\s\S]*?)```/.exec(docs)?.[1] ?? '';
const schema: SchemaNode = JSON.parse(JSON.stringify(configSchema));

test("the documentation's full example gives every setting its meaning", () => {
  assert.deepEqual(load(fullExample, asRoot), {
    path: file,
    dir,
    listen: [
      { name: 'tcp://127.0.0.1:31337', kind: 'tcp', host: '127.0.0.1', port: 31337 },
      { name: `unix:${dir}/var/rocksyd.sock`, kind: 'unix', path: `${dir}/var/rocksyd.sock`, mode: 0o660 },
    ],
    auth: {
      kind: 'tokens',
      tokens: [
        {
          name: 'ci',
          role: 'operator',
          sha256: '9b74c9897bac770ffc029102a200c5de2d8a1f0b2c3d4e5f60718293a4b5c6d7',
        },
      ],
    },
    insecure: false,
    state: `${dir}/var`,
    defaultPool: 'web',
    pools: new Map([
      [
        'web',
        {
          name: 'web',
          runtime: 'php',
          bootstrap: `${dir}/bootstrap.php`,
          jobs: null,
          prefork: 4,
          interpreter: `${dir}/bin/php`,
          fork: true,
          args: ['-d', 'memory_limit=512M'],
          user: 'www-data',
          group: 'www-data',
          nice: 5,
          rlimits: new Map([
            ['nofile', { soft: '4096', hard: '4096' }],
            ['as', { soft: '2147483648', hard: '2147483648' }],
            ['core', { soft: '0', hard: '0' }],
            ['nproc', { soft: '500', hard: 'unlimited' }],
          ]),
          env: new Map([
            ['APP_ENV', 'prod'],
            ['APP_DEBUG', '0'],
          ]),
          envFiles: [`${dir}/secrets.env`],
          secrets: new Map([
            ['API_KEY', { kind: 'file', path: `${dir}/api-key` }],
            ['STRIPE_KEY', { kind: 'credential', name: 'stripe' }],
            [
              'DB_PASSWORD',
              {
                kind: 'command',
                program: `${dir}/bin/vault`,
                argv: ['vault', 'kv', 'get', '-field=password', 'secret/db'],
              },
            ],
          ]),
          allowEnv: ['LANG', 'APP_*'],
          maxRunning: 1_000,
          queue: 10_000,
          maxAgeMs: 86_400_000,
          maxMemoryBytes: 536_870_912,
          bootTimeoutMs: 30_000,
          claimTimeoutMs: 5_000,
          timeoutMs: 3_600_000,
          killAfterMs: 5_000,
          leaveChildren: false,
          allow: ['threads'],
        },
      ],
      [
        'os',
        {
          name: 'os',
          runtime: 'command',
          bootstrap: null,
          jobs: null,
          prefork: 0,
          interpreter: null,
          fork: false,
          args: [],
          user: 'www-data',
          group: 'www-data',
          nice: 0,
          rlimits: new Map(),
          env: new Map(),
          envFiles: [],
          secrets: new Map(),
          allowEnv: [],
          maxRunning: 1_000,
          queue: 10_000,
          maxAgeMs: null,
          maxMemoryBytes: null,
          bootTimeoutMs: 30_000,
          claimTimeoutMs: 5_000,
          timeoutMs: null,
          killAfterMs: 5_000,
          leaveChildren: false,
          allow: [],
        },
      ],
    ]),
    join: {
      urls: ['https://rocksy.example.org'],
      tokenFile: `${dir}/join-token`,
      name: 'web-1',
      labels: { zone: 'a' },
      capacity: 32,
      pools: ['web', 'os'],
      caFile: `${dir}/cloud-ca.pem`,
    },
    stopRuns: 'stop',
    stopGraceMs: 10_000,
    takeoverTimeoutMs: 60_000,
    retention: {
      runsMaxAgeMs: 2_592_000_000,
      runsMaxCount: 1_000_000,
      logsMaxAgeMs: 1_209_600_000,
      logsMaxBytes: 21_474_836_480,
    },
    logMaxBytes: 268_435_456,
    minFreeBytes: 268_435_456,
    mask: [/password=\S+/gu, /(?i:bearer) [\w.-]+/gu],
    limits: {
      lineBytes: 1_048_576,
      connections: 20_000,
      pipelined: 1_000,
      unreadBytes: 1_048_576,
      pushBytes: 8_388_608,
    },
    log: { level: 'info' },
    warnings: [],
  });
});

test('a file with one pool and nothing else gets every default of the documentation', () => {
  const example = load(fullExample, asRoot);
  const config = load('pools:\n  web: { runtime: php, bootstrap: ./bootstrap.php }');
  const {
    stopRuns,
    stopGraceMs,
    takeoverTimeoutMs,
    retention,
    logMaxBytes,
    minFreeBytes,
    limits,
    log,
    state,
  } = config;
  assert.partialDeepStrictEqual(example, {
    ...{ stopRuns, stopGraceMs, takeoverTimeoutMs, retention, logMaxBytes, minFreeBytes, limits, log, state },
  });
  const socket = `${dir}/var/rocksyd.sock`;
  assert.deepEqual(config.listen, [{ name: `unix:${socket}`, kind: 'unix', path: socket, mode: 0o600 }]);
  assert.deepEqual(config.auth, { kind: 'none' });
  assert.deepEqual(config.mask, []);
  assert.equal(config.insecure, false);
  assert.equal(config.defaultPool, 'web');
  assert.equal(config.join, null);
  assert.partialDeepStrictEqual(config.pools.get('web'), {
    prefork: 2,
    interpreter: `${dir}/bin/php`,
    user: null,
    group: null,
  });
  assert.deepEqual(config.warnings, []);
});

test('the documentation has every key of the schema', () => {
  const missing = keysOf(schema).filter((key) => !docs.includes(`\`${key}\``));
  assert.deepEqual(missing, []);
});

test('every value of the schema says what is expected of it', () => {
  assert.deepEqual(undescribed(schema, 'config'), []);
});

test('the configuration is frozen, but for the regular expressions, which keep their place in themselves', () => {
  const config = load(
    'pools: { os: { runtime: command, rlimits: { as: 1GiB } } }\nmask: [secret]\nretention: { runs: 1d }',
  );
  const pool = config.pools.get('os');
  const parts = [config, config.listen, config.listen[0], config.auth, config.retention, config.limits];
  for (const part of [...parts, pool, pool?.args, pool?.allow, pool?.rlimits.get('as'), config.mask]) {
    assert.ok(Object.isFrozen(part));
  }
  assert.equal('a secret, secret'.replaceAll(config.mask[0] ?? /$/g, '***'), 'a ***, ***');
});

test('pools may share settings by anchors and merge keys', () => {
  const config = load(
    `pools:\n  a: &a { runtime: command, nice: 3, queue: 5 }\n  b: { <<: *a, queue: 6 }\ndefault_pool: a`,
  );
  assert.partialDeepStrictEqual(config.pools.get('b'), { name: 'b', nice: 3, queue: 6 });
});

test('the default socket stands in the state folder, wherever that is', () => {
  const config = load('state: /srv/rocksy\npools: { os: { runtime: command } }');
  assert.equal(config.listen[0]?.name, 'unix:/srv/rocksy/rocksyd.sock');
});

test('under root, a pool gets the group of its user, by name where it has one', () => {
  const users = new Map([...asRoot.users, ['odd', { uid: 7, gid: 77 }]]);
  const groupUnderRoot = (user: string) =>
    load(`pools: { os: { runtime: command, user: ${user} } }`, { ...asRoot, users }).pools.get('os')?.group;
  assert.deepEqual(['ada', 'odd', 'root'].map(groupUnderRoot), ['users', '77', 'root']);
});

test('an ordinary user may name itself and its group, which changes nothing', () => {
  const config = load('pools: { os: { runtime: command, user: ada, group: users } }');
  assert.partialDeepStrictEqual(config.pools.get('os'), { user: null, group: null });
});

test('a pool that runs as root is warned of, and more so where everybody may use it', () => {
  const yaml = 'listen: [tcp://127.0.0.1]\nauth: none\npools:\n  os: { runtime: command,\n    user: root }';
  assert.deepEqual(load(yaml, asRoot).warnings, [
    `${file}:5: pools.os.user: the scripts of this pool run as root`,
    `${file}:2: auth: with none, everybody on this machine can run scripts as root through tcp://127.0.0.1:31337 (pools: os)`,
  ]);
  assert.deepEqual(load(yaml.replace('user: root', '')).warnings, []);
});

test('a log without bound is 0 bytes', () => {
  assert.equal(load('log_max: unlimited\npools: { os: { runtime: command } }').logMaxBytes, 0);
});

test('a file is read from disk, and one that is not there is a DocumentError', () => {
  writeFileSync(join(dir, 'disk.yaml'), 'pools: { os: { runtime: command, user: root } }');
  assert.equal(loadConfig(join(dir, 'disk.yaml'), asRoot).dir, dir);
  assert.throws(
    () => loadConfig('no/such.yaml'),
    (error) => {
      assert.ok(error instanceof DocumentError);
      assert.match(error.format(), /^no\/such\.yaml: can't be read: ENOENT/);
      return true;
    },
  );
});

test('the real surroundings are those of this process', () => {
  const { uid, users, groups, path } = realSurroundings();
  assert.equal(uid, process.geteuid?.());
  assert.deepEqual(users.get('root'), { uid: 0, gid: 0 });
  assert.equal(groups.get('root'), 0);
  assert.equal(path, process.env.PATH);
});

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

function childrenOf({ properties, patternProperties, items, anyOf }: SchemaNode): [string, SchemaNode][] {
  return [
    ...Object.entries(properties ?? {}),
    ...Object.entries(patternProperties ?? {}),
    ...(items ? [['[]', items] satisfies [string, SchemaNode]] : []),
    // Of alternatives only mappings are spoken of by themselves.
    ...(anyOf ?? []).filter(({ properties }) => properties).map((node): [string, SchemaNode] => ['|', node]),
  ];
}

function keysOf(node: SchemaNode): string[] {
  return [...Object.keys(node.properties ?? {}), ...childrenOf(node).flatMap(([, child]) => keysOf(child))];
}

function undescribed(node: SchemaNode, path: string): string[] {
  return [
    ...(node.description === undefined ? [path] : []),
    ...childrenOf(node).flatMap(([key, child]) => undescribed(child, `${path}.${key}`)),
  ];
}
