// Jobs in TypeScript through a real rocksyd: forked from a Node that has loaded them, parked ahead and on request.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Client, RocksyError, RunView } from '../../src/client/index.ts';
import { TestDaemon } from '../support/daemon.ts';

const BOOTSTRAP = `
import { setTimeout as delay } from 'node:timers/promises';

await delay(1);
(globalThis as { application?: object }).application = { name: 'shop', loadedBy: process.pid };
let prepared = 0;
export const beforeFork = async (): Promise<void> => { await delay(1); prepared++; };
export const afterFork = (): void => { (globalThis as { forked?: number }).forked = process.pid; };

export const jobs = {
  Application: class {
    run(): object {
      const { application, forked } = globalThis as { application?: object; forked?: number };
      return { ...application, prepared, forked: forked === process.pid };
    }
  },
};
`;

const DRAW = `
import { randomInt, randomUUID } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

interface Context { readonly key: string; readonly job: string; readonly attempt: number }

export default class Draw {
  async run({ index }: { index: number }, { key, job, attempt }: Context): Promise<object | number> {
    await delay(index % 3);
    if (index % 10 === 7) throw new Error(\`unlucky \${index}\`);
    if (index % 10 === 5) return 5;
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try { return [readlinkSync(\`/proc/self/fd/\${fd}\`)]; } catch { return []; }
    });
    return {
      key, job, attempt,
      pid: process.pid,
      random: Math.random(),
      uuid: randomUUID(),
      web: crypto.randomUUID(),
      integer: randomInt(2 ** 47),
      sockets: open.filter((target) => target.startsWith('socket:')).length,
      listeners: process.eventNames().filter((name) => String(name).startsWith('SIG')),
      resources: process.getActiveResourcesInfo().filter((name) => /Pipe|Server|Timeout|TCP/.test(name)),
    };
  }
}
`;

const TRACE = `export default class Trace {
  run(): void {
    // A comment, and types, that are gone when this runs.
    const never: never | undefined = undefined as never | undefined;
    throw new RangeError('here', { cause: never });
  }
}
`;

/** What becomes of a bootstrap that does not come to its end; what one leaves behind is in inspection.test.ts. */
const FAILURES: readonly [pool: string, code: string, named: RegExp][] = [
  ['throws', "await 0; throw new Error('no configuration');", /ended with code 1/],
  ['exits', 'process.exit(0);', /ended with code 1/],
  ['hangs', 'await new Promise(() => {});', /ended with code 1/],
];

/** Preloaded, a Node of another version, which nobody has proven. */
const OTHER_VERSION = "Object.defineProperty(process, 'version', { value: 'v25.1.0' });";

const NODE_26 = fileURLToPath(new URL('../node-26/node_modules/node/bin/node', import.meta.url));
const IN_FLIGHT = 16;

/** Started processes are slow: each loads the application. */
const POOLS: readonly (readonly [name: string, options: string, runs: number])[] = [
  ['parked', 'prefork: 4', 200],
  ['forked', 'prefork: 0', 200],
  ['parked-26', `prefork: 4, interpreter: ${NODE_26}`, 100],
  ['started', `prefork: 2, fork: false, interpreter: ${NODE_26}`, 20],
  ['unproven', 'prefork: 1, fork: unproven, args: [--import, ./app/other-version.mjs]', 10],
];

let daemon: TestDaemon;
let client: Client;

before(async () => {
  daemon = await TestDaemon.start({
    more: 'default_pool: parked',
    pools: [
      ...POOLS.map(
        ([name, options]) =>
          `  ${name}: { runtime: node, bootstrap: ./app/bootstrap.ts, jobs: ./app/jobs, ${options}, {user} }`,
      ),
      '  unknown: { runtime: node, jobs: ./app/jobs, args: [--import, ./app/other-version.mjs], {user} }',
      ...FAILURES.map(([pool]) => `  ${pool}: { runtime: node, bootstrap: ./app/${pool}.ts, {user} }`),
    ].join('\n'),
    files: {
      'app/bootstrap.ts': BOOTSTRAP,
      'app/other-version.mjs': OTHER_VERSION,
      ...Object.fromEntries(FAILURES.map(([pool, code]) => [`app/${pool}.ts`, code])),
      'app/jobs/Draw.ts': DRAW,
      'app/jobs/Trace.ts': TRACE,
      'app/jobs/Old.cjs': "module.exports = class { run() { return 'from CommonJS'; } };",
      'app/jobs/Trace.test.ts': "throw new Error('a test is no job');",
    },
  });
  client = await daemon.connect();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
});

async function ended(key: string, pool: string, name: string, params: object = {}): Promise<RunView> {
  await client.run({ key, pool, class: name, params: params as never });
  return await client.wait(key, { timeout_ms: 60_000 });
}

for (const [pool, options, runs] of POOLS) {
  describe(`a node pool with ${options.replace(NODE_26, 'Node 26')}`, () => {
    test(`${runs} runs, ${IN_FLIGHT} at once: each has its own outcome, pid and random numbers`, async () => {
      let next = 0;
      const views: RunView[] = [];
      const worker = async (): Promise<void> => {
        while (next < runs) {
          const index = next++;
          views[index] = await ended(`${pool}-${index}`, pool, 'Draw', { index });
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
      const drawn: { readonly [name: string]: unknown }[] = [];
      for (const [index, view] of views.entries()) {
        if (index % 10 === 7) {
          assert.partialDeepStrictEqual(view, {
            outcome: 'failed',
            code: 255,
            error: `Error: unlucky ${index}`,
          });
        } else if (index % 10 === 5) {
          assert.partialDeepStrictEqual(view, { outcome: 'failed', code: 5, error: null });
        } else {
          assert.partialDeepStrictEqual(view, { outcome: 'succeeded', code: 0 }, JSON.stringify(view));
          const result = view.result as { [name: string]: unknown };
          assert.partialDeepStrictEqual(result, { key: `${pool}-${index}`, job: 'Draw', attempt: 1 });
          assert.deepEqual([result.sockets, result.listeners, result.resources], [0, [], []]);
          assert.equal(result.pid, view.pid);
          drawn.push(result);
        }
      }
      for (const source of ['random', 'uuid', 'web', 'integer']) {
        assert.equal(new Set(drawn.map((values) => values[source])).size, drawn.length, source);
      }
      assert.equal(new Set(drawn.flatMap(({ uuid, web }) => [uuid, web])).size, 2 * drawn.length);
    });

    test('a run finds what the bootstrap has loaded, and its hooks called', async () => {
      const view = await ended(`application-${pool}`, pool, 'Application');
      assert.partialDeepStrictEqual(view.result, { name: 'shop', prepared: 1, forked: true });
      const loadedByItself = (view.result as { loadedBy: number }).loadedBy === view.pid;
      assert.equal(loadedByItself, pool === 'started');
    });

    test('the trace of an exception has the lines of the TypeScript', async () => {
      const view = await ended(`trace-${pool}`, pool, 'Trace');
      assert.partialDeepStrictEqual(view, { outcome: 'failed', code: 255, error: 'RangeError: here' });
      const log = (await client.logs(`trace-${pool}`)).data.toString();
      assert.match(log, /Uncaught RangeError: here\n +at Trace\.run \(.*jobs\/Trace\.ts:5:11\)/);
    });

    test('a class may come from CommonJS; one that is not there is named', async () => {
      assert.equal((await ended(`old-${pool}`, pool, 'Old')).result, 'from CommonJS');
      const view = await ended(`nope-${pool}`, pool, 'Trace.test');
      assert.match(
        view.error ?? '',
        /^Error: there is no class Trace\.test in .*jobs and the `jobs` of .*bootstrap\.ts$/,
      );
    });
  });
}

test('a Node whose forks are not proven is refused, and what to say is said', async () => {
  await assert.rejects(client.reload('unknown'), ({ output }: RocksyError) => {
    assert.match(output ?? '', /Node v25\.1\.0 \(x64\) is not proven.*`fork: unproven`/);
    return true;
  });
});

describe('a bootstrap in TypeScript that fails is refused', () => {
  for (const [pool, , named] of FAILURES) {
    test(pool, async () => {
      const view = (await client.pools()).find(({ name }) => name === pool);
      assert.match(view?.problem ?? '', named, JSON.stringify(view));
    });
  }
});
