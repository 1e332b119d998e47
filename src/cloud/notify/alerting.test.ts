// End to end: events in a real store, on a clock that the test turns, to a real HTTP server; with restarts in between.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseJobs } from '../jobs/index.ts';
import { openStore, type RunKey, type Store } from '../store/index.ts';
import { Alerting, type AlertingOptions } from './alerting.ts';
import type { NotifyConfig } from './config.ts';
import { endEvent, fireEvent, runEvent } from './fixtures/events.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { type Answer, answers, HANGS, OK, type Received, Receiver } from './fixtures/receiver.ts';
import type { Incident } from './incident.ts';

const folder = mkdtempSync(join(tmpdir(), 'rocksy-alerting-'));
after(() => rmSync(folder, { recursive: true }));

const KEY = Buffer.alloc(32, 7);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = 1_700_000_000_000;

interface Told {
  readonly type: string;
  readonly data: {
    readonly kind: string;
    readonly causes: readonly string[];
    readonly jobs: readonly { readonly job: string; readonly count: number; readonly incidents: string[] }[];
  };
}

function toldIn({ headers, body }: Received): Told {
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const signature = `v1,${createHmac('sha256', KEY).update(signed).digest('base64')}`;
  assert.equal(headers['webhook-signature'], signature);
  return JSON.parse(body) as Told;
}

let files = 0;

/** A control plane's alerts, which end and begin again on the same file; a receiver that stays. */
class Plant implements AsyncDisposable {
  readonly clock = new FakeClock(START);
  readonly warnings: string[] = [];
  readonly #file = join(folder, `${++files}.db`);
  readonly #receiver: Receiver;
  readonly #options: Partial<AlertingOptions>;
  #parts: { readonly store: Store; readonly alerting: Alerting } | null = null;
  answer: Answer = OK;

  private constructor(receiver: Receiver, options: Partial<AlertingOptions>) {
    this.#receiver = receiver;
    this.#options = options;
  }

  /** @param events that were there before */
  static async start(options: Partial<AlertingOptions> = {}, events: object[] = []): Promise<Plant> {
    const receiver = await Receiver.start((...all) => plant.answer(...all));
    const plant: Plant = new Plant(receiver, options);
    await plant.begin(events);
    const by = { by: 'ann', nowMs: 0, prune: [], dryRun: false };
    const jobs = 'project: shop\njobs:\n  report: { argv: ["true"], pool: os }\n';
    await plant.store.jobs.apply(parseJobs(jobs, 'jobs.yaml'), by);
    return plant;
  }

  async begin(events: object[] = []): Promise<void> {
    const store = await openStore(`sqlite:${this.#file}`, { schema: 'create', onIdleError: assert.ifError });
    await store.events.append(events, this.clock.nowMs());
    const alerting = this.another(store);
    this.#parts = { store, alerting };
    await alerting.start();
    await alerting.settled();
  }

  another(store: Store): Alerting {
    const config: NotifyConfig = {
      channels: [
        {
          ...{ kind: 'webhook', name: 'ops', projects: null, url: this.#receiver.url },
          ...{ on: ['failed', 'late', 'missed', 'too_long'], secret: `whsec_${KEY.toString('base64')}` },
        },
      ],
      heartbeat: null,
    };
    return new Alerting({
      store,
      clock: this.clock,
      config,
      log: { debug: () => {}, warn: (_: unknown, text?: string) => void this.warnings.push(text ?? '') },
      expectOf: () => null,
      ...this.#options,
    });
  }

  /** Whatever is under way is broken off. */
  async end(): Promise<void> {
    const { store, alerting } = this.#present;
    this.#parts = null;
    await alerting[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    assert.equal(this.clock.timers, 0, 'no timer is left');
  }

  async restart(): Promise<void> {
    await this.end();
    await this.begin();
  }

  get store(): Store {
    return this.#present.store;
  }

  get received(): readonly Received[] {
    return this.#receiver.received;
  }

  get told(): string[] {
    return this.received.map(toldIn).map(({ type, data: { kind } }) => `${type.split('.')[1]} ${kind}`);
  }

  get #present() {
    if (this.#parts === null) throw new Error('it has ended');
    return this.#parts;
  }

  async happen(...events: object[]): Promise<void> {
    const { store, alerting } = this.#present;
    await store.events.append(events, this.clock.nowMs());
    alerting.wake();
    await alerting.settled();
  }

  /** Time passes, and what is due in it is done. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms;
    using _ = this.clock.at(untilMs, () => {});
    do {
      await this.clock.next();
      await this.#idle();
    } while (this.clock.nowMs() < untilMs);
  }

  async until(count: number): Promise<void> {
    await this.#receiver.until(count);
  }

  /** Everything that has to do with this moment is done. */
  async #idle(): Promise<void> {
    const { store, alerting } = this.#present;
    do {
      await alerting.settled();
      await new Promise((resolve) => setImmediate(resolve));
    } while (((await store.alerts.deliveries.nextDueMs([])) ?? Infinity) <= this.clock.nowMs());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#parts !== null) await this.end();
    await this.#receiver[Symbol.asyncDispose]();
  }
}

const failed = (key: string, error = 'disk full') => endEvent(key, 'failed', { error });

test('a failure is told once, signed, and its end as well, with a restart in between', async () => {
  await using plant = await Plant.start();
  await plant.happen(runEvent('r1'), failed('r1'));
  await plant.pass(30_000);
  assert.deepEqual(plant.told, []);
  await plant.restart();
  await plant.pass(MINUTE);
  assert.deepEqual(plant.told, ['opened failed']);
  await plant.restart();
  await plant.happen(endEvent('r2', 'succeeded'));
  await plant.restart();
  await plant.pass(2 * HOUR);
  assert.deepEqual(plant.told, ['opened failed', 'recovered failed']);
  const [opened, recovered] = plant.received.map(toldIn).map(({ data }) => data);
  assert.deepEqual(opened?.causes, ['disk full']);
  assert.equal(opened?.jobs[0]?.job, 'shop/report');
  assert.deepEqual(recovered?.jobs[0]?.incidents, opened?.jobs[0]?.incidents);
  assert.deepEqual(plant.warnings, []);
  assert.deepEqual(await plant.store.alerts.open(), []);
});

test('what happens while nobody is there is told when somebody is, once', async () => {
  await using plant = await Plant.start();
  await plant.happen(failed('r1'));
  const { store } = plant;
  await store.events.append([failed('r2')], plant.clock.nowMs());
  await store.events.append([fireEvent('limit', START)], plant.clock.nowMs());
  for (let i = 0; i < 3; i++) await plant.restart();
  await plant.pass(2 * MINUTE);
  assert.deepEqual(plant.told.toSorted(), ['opened failed', 'opened missed']);
  const open = await plant.store.alerts.open<Incident>();
  assert.deepEqual(
    open.map(({ kind, count }) => [kind, count]),
    [
      ['failed', 2],
      ['missed', 1],
    ],
  );
});

test('the first time it begins with what happens from then on', async () => {
  await using plant = await Plant.start({}, [failed('old')]);
  await plant.happen(endEvent('r1', 'succeeded'));
  await plant.pass(HOUR);
  assert.deepEqual(plant.told, []);
  await plant.happen(failed('r2'));
  await plant.pass(HOUR);
  assert.deepEqual(plant.told, ['opened failed']);
});

test('a restart in the middle of a delivery sends it once more under the same id, and nothing is lost', async () => {
  await using plant = await Plant.start();
  plant.answer = HANGS;
  await plant.happen(failed('r1'));
  await plant.clock.next();
  await plant.until(1);
  await plant.end();
  plant.answer = OK;
  await plant.begin();
  await plant.until(2);
  await plant.happen(endEvent('r2', 'succeeded'));
  await plant.pass(HOUR);
  assert.deepEqual(plant.told, ['opened failed', 'opened failed', 'recovered failed']);
  const ids = plant.received.map(({ headers }) => headers['webhook-id']);
  assert.equal(ids[0], ids[1]);
  const { items } = await plant.store.alerts.deliveries.list({});
  assert.deepEqual(
    items.map(({ state, attempts }) => [state, attempts.length]),
    [
      ['delivered', 1],
      ['delivered', 1],
    ],
  );
});

test('what a receiver refuses is tried again after a restart too', async () => {
  await using plant = await Plant.start();
  plant.answer = answers(503);
  await plant.happen(failed('r1'));
  await plant.pass(MINUTE + 1000);
  await plant.restart();
  plant.answer = OK;
  await plant.pass(MINUTE);
  assert.deepEqual(plant.told, ['opened failed', 'opened failed']);
  const [log] = (await plant.store.alerts.deliveries.list({})).items;
  assert.deepEqual([log?.state, log?.attempts.map(({ status }) => status)], ['delivered', [503, 200]]);
});

test('a run that waits, and then goes on, for too long is told of while it does, over restarts too', async () => {
  const expectOf = () => ({ begun_within_ms: 5 * MINUTE, ended_within_ms: 10 * MINUTE });
  await using plant = await Plant.start({ expectOf });
  const created = {
    ...{ key: 'r1' as RunKey, jobId: null, jobVersion: null, project: 'shop', pool: 'os', spec: {} },
    ...({ cause: { kind: 'api', ref: null }, priority: 0, dueMs: null } as const),
    ...{ queuedMs: START, notBeforeMs: START },
  };
  const [job] = await plant.store.jobs.list();
  assert.ok(job !== undefined);
  const run = { ...created, jobId: job.id, jobVersion: 1 };
  const nothing = { changes: [], attempts: [], arrivals: [], events: [] };
  await plant.store.runs.commit({ ...nothing, created: [run], nowMs: START }, null);
  await plant.happen(runEvent('r1'));
  await plant.pass(7 * MINUTE);
  assert.deepEqual(plant.told, ['opened late']);
  for (let i = 0; i < 3; i++) await plant.restart();
  await plant.pass(MINUTE);
  const [late] = await plant.store.alerts.open<Incident>();
  assert.deepEqual([late?.runs, late?.count], [['r1'], 1], 'seen once');
  await plant.happen(runEvent('r1', { state: 'running', started_ms: plant.clock.nowMs() }));
  await plant.pass(12 * MINUTE);
  assert.deepEqual(plant.told.slice(1), ['recovered late', 'opened too_long']);
  await plant.happen(endEvent('r1', 'cancelled'));
  await plant.pass(2 * HOUR);
  assert.deepEqual(plant.told.slice(3), ['recovered too_long']);
});

test('an end that nobody read is found at the next start, and so is a job that is there no more', async () => {
  const expectOf = () => ({ begun_within_ms: 5 * MINUTE, ended_within_ms: null });
  await using plant = await Plant.start({ expectOf });
  await plant.happen(runEvent('r1'), endEvent('r2', 'failed', { job: 'former', error: 'no' }));
  await plant.pass(7 * MINUTE);
  assert.deepEqual(plant.told.toSorted(), ['opened failed', 'opened late']);
  // The store knows neither a run r1 that has not ended nor a job `former`.
  await plant.restart();
  await plant.pass(2 * MINUTE);
  assert.deepEqual(plant.told.slice(2).toSorted(), ['recovered failed', 'recovered late']);
});

test('events that were forgotten before they were read are a warning', async () => {
  await using plant = await Plant.start();
  await plant.happen(failed('r1'));
  for (let i = 0; i < 5; i++) await plant.store.events.append([failed(`x${i}`)], START);
  await plant.store.events.expire(2);
  await plant.restart();
  assert.deepEqual(plant.warnings, ['events were forgotten before alerts had read them']);
  assert.equal((await plant.store.alerts.open<Incident>())[0]?.count, 3);
});

test('healthy runs cost no writing: the cursor follows in steps, and is right after an end', async () => {
  await using plant = await Plant.start();
  for (let i = 0; i < 10; i++) await plant.happen(endEvent(`r${i}`, 'succeeded'));
  assert.equal(await plant.store.alerts.cursorOrSet(0), 0);
  for (let i = 0; i < 50; i++) await plant.happen(endEvent(`s${i}`, 'succeeded'));
  assert.equal(await plant.store.alerts.cursorOrSet(0), 50);
  await plant.restart();
  assert.equal(await plant.store.alerts.cursorOrSet(0), 60);
});

test('a store that fails is tried again, and nothing is lost or told twice', async () => {
  await using plant = await Plant.start();
  const { alerts } = plant.store;
  const change = alerts.change.bind(alerts);
  let failures = 0;
  const failing = async (...all: Parameters<typeof change>) => {
    failures++;
    // The second time it is done, and nobody is told.
    if (failures === 2) await change(...all);
    if (failures <= 2) throw new Error('the store is away');
    return await change(...all);
  };
  alerts.change = failing as typeof change;
  await plant.happen(failed('r1'));
  await plant.pass(5 * MINUTE);
  assert.deepEqual(plant.told, ['opened failed']);
  assert.equal((await alerts.open<Incident>())[0]?.count, 1);
  assert.deepEqual(new Set(plant.warnings), new Set(['alerts can not be read or written; trying again']));
});

test('two that read one log tell everything once', async () => {
  await using plant = await Plant.start();
  const { store } = plant;
  await using other = plant.another(store);
  await other.start();
  for (let i = 0; i < 20; i++) {
    const told = plant.happen(failed(`r${i}`));
    other.wake();
    await Promise.all([told, other.settled()]);
  }
  assert.equal((await store.alerts.open<Incident>())[0]?.count, 20);
});

test('a job that fails every minute for a day: one alert, at most four reminders, one recovery', async () => {
  await using plant = await Plant.start();
  // Ten with one commit, else the test waits for the disk.
  for (let i = 0; i < 1440; i += 10) {
    await plant.happen(
      ...Array.from({ length: 10 }, (_, n) => failed(`r${i + n}`, `timeout after ${i + n} ms`)),
    );
    await plant.pass(10 * MINUTE);
    if (i % 200 === 100) await plant.restart();
  }
  await plant.happen(endEvent('well', 'succeeded'));
  await plant.pass(3 * HOUR);
  const reminders = plant.told.slice(1, -1);
  assert.equal(plant.told[0], 'opened failed');
  assert.ok(reminders.length <= 4);
  assert.ok(reminders.every((told) => told === 'reminder failed'));
  assert.equal(plant.told.at(-1), 'recovered failed');
  const last = plant.received.map(toldIn).at(-1);
  assert.equal(last?.data.jobs[0]?.count, 1440);
  assert.deepEqual(await plant.store.alerts.open(), []);
});
