import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertsChange, KeptAlerts, NewDelivery, Store } from '../index.ts';

interface Incident {
  readonly id: string;
  readonly job: string;
  readonly openedMs: number;
  readonly dueMs: number | null;
  readonly cause: string;
}

interface Gathering {
  readonly kind: string;
  readonly group: string;
  readonly dueMs: number;
  readonly news: readonly string[];
}

type State = KeptAlerts<Incident, Gathering>;

const incident = (id: string, job: string, more: Partial<Incident> = {}): Incident => ({
  ...{ id, job, openedMs: 1000, dueMs: null, cause: 'disk full' },
  ...more,
});

const delivery = (id: string, channel: string, dueMs: number): NewDelivery => ({
  ...{ id, channel, dueMs },
  notice: { text: `${id} \0 \u{1F680}` },
});

/** A change of the incidents of these jobs. */
async function change(
  store: Store,
  jobs: readonly string[],
  step: (state: State) => Partial<AlertsChange<Incident, Gathering>>,
  more: { readonly nowMs?: number; readonly cursor?: { readonly from: number; readonly to: number } } = {},
): Promise<State | null> {
  const { nowMs = 0, cursor = null } = more;
  const scope = { jobs, nowMs, cursor, sweepDueMs: ({ dueMs }: Incident) => dueMs };
  return await store.alerts.change<Incident, Gathering>(scope, (state) => ({
    ...state,
    deliveries: [],
    ...step(state),
  }));
}

const failedAttempt = { tookMs: 5, ok: false, status: 503, detail: 'HTTP 503' } as const;

/** @param open a store on a new database */
export function alertsSuite(open: () => Promise<Store>): void {
  test('incidents of the jobs asked for are changed, and what is not returned is closed', async () => {
    await using store = await open();
    const [a, b, c] = [incident('1', 'p/a'), incident('2', 'p/b'), incident('3', 'p/a')];
    await change(store, [], () => ({ incidents: [a, b, c] }));
    const worse = { ...c, cause: "o'clock \0" };
    let seen: readonly Incident[] = [];
    await change(store, ['p/a', 'p/none', 'p/a'], ({ incidents }) => {
      seen = incidents;
      return { incidents: [worse] };
    });
    assert.deepEqual(seen, [a, c]);
    assert.deepEqual(await store.alerts.open(), [b, worse]);
    await change(store, ['p/a'], ({ incidents }) => ({ incidents: [...incidents, a] }));
    assert.deepEqual(await store.alerts.open(), [a, b, worse], 'what was closed may be back');
  });

  test('what has something to do by now takes part, and the store knows when the next has', async () => {
    await using store = await open();
    assert.equal(await store.alerts.nextSweepMs(), null);
    const early = incident('1', 'p/a', { dueMs: 5000 });
    const gathering = { kind: 'failed', group: 'g', dueMs: 7000, news: ['x'] };
    await change(store, [], () => ({
      incidents: [early, incident('2', 'p/b', { dueMs: 9000 }), incident('3', 'p/c')],
      gatherings: [gathering, { ...gathering, group: 'h', dueMs: 8000 }],
    }));
    assert.equal(await store.alerts.nextSweepMs(), 5000);
    const later = { ...gathering, news: ['x', 'y'] };
    const swept = await change(
      store,
      [],
      (state) => {
        assert.deepEqual(state.incidents, [early]);
        assert.equal(state.gatherings.length, 2);
        return { incidents: [], gatherings: [later] };
      },
      { nowMs: 5000 },
    );
    assert.deepEqual(swept?.gatherings, [later]);
    assert.equal(await store.alerts.nextSweepMs(), 7000);
    await change(store, [], ({ gatherings }) => {
      assert.deepEqual(gatherings, [later]);
      return { gatherings: [] };
    });
    assert.equal(await store.alerts.nextSweepMs(), 9000);
  });

  test('the cursor moves together with what follows, once', async () => {
    await using store = await open();
    assert.equal(await store.alerts.cursorOrSet(7), 7);
    assert.equal(await store.alerts.cursorOrSet(9), 7);
    const tries = Array.from({ length: 5 }, (_, i) =>
      change(
        store,
        ['p/a'],
        ({ incidents }) => ({
          incidents: [...incidents, incident(`i${i}`, 'p/a')],
          deliveries: [delivery(`d${i}`, 'ops', 0)],
        }),
        { cursor: { from: 7, to: 8 } },
      ),
    );
    assert.equal((await Promise.all(tries)).filter((done) => done !== null).length, 1);
    assert.equal((await store.alerts.open()).length, 1);
    assert.equal((await store.alerts.deliveries.list({})).items.length, 1);
    assert.equal(await store.alerts.cursorOrSet(0), 8);
    const broken = change(
      store,
      [],
      () => {
        throw new Error('no');
      },
      { cursor: { from: 8, to: 9 } },
    );
    await assert.rejects(broken, { message: 'no' });
    assert.equal(await store.alerts.cursorOrSet(0), 8);
  });

  test('changes that come at once are done one after the other', async () => {
    await using store = await open();
    await store.alerts.cursorOrSet(0);
    await change(store, [], () => ({ incidents: [incident('1', 'p/a', { cause: '' })] }));
    await Promise.all(
      Array.from({ length: 10 }, () =>
        change(store, ['p/a'], ({ incidents }) => ({
          incidents: incidents.map((each) => ({ ...each, cause: `${each.cause}.` })),
        })),
      ),
    );
    assert.deepEqual(await store.alerts.open(), [incident('1', 'p/a', { cause: '.'.repeat(10) })]);
  });

  test('deliveries are due in their order, each attempt is noted once, and the log has them latest first', async () => {
    await using store = await open();
    const { deliveries } = store.alerts;
    await deliveries.add([delivery('1', 'ops', 100), delivery('2', 'ops', 100), delivery('3', 'chat', 200)]);
    await deliveries.add([delivery('1', 'other', 0)]);
    const due = async (nowMs: number, limit: number, without: string[]) =>
      (await deliveries.due(nowMs, limit, without)).map(({ id, made }) => [id, made]);
    assert.deepEqual(await due(99, 8, []), []);
    assert.deepEqual(await due(100, 8, []), [
      ['1', 0],
      ['2', 0],
    ]);
    assert.deepEqual(await due(200, 1, ['ops']), [['3', 0]]);
    const [first] = await deliveries.due(100, 1, []);
    assert.deepEqual(first?.notice, { text: '1 \0 \u{1F680}' });
    const failed = { ...failedAttempt, atMs: 100 };
    for (let i = 0; i < 2; i++) await deliveries.settle('1', failed, 5000);
    await deliveries.settle('2', { ...failed, ok: true }, null);
    await deliveries.settle('nobody', failed, null);
    assert.equal(await deliveries.nextDueMs([]), 200);
    assert.equal(await deliveries.nextDueMs(['chat']), 5000);
    assert.equal(await deliveries.nextDueMs(['chat', 'ops']), null);
    assert.deepEqual(await due(5000, 8, ['chat']), [['1', 1]]);
    await deliveries.settle('3', failed, null);
    const page = await deliveries.list({ limit: 2 });
    assert.deepEqual(
      page.items.map(({ id, state }) => [id, state]),
      [
        ['3', 'given_up'],
        ['2', 'delivered'],
      ],
    );
    const rest = await deliveries.list({ cursor: page.next ?? '' });
    assert.deepEqual(rest.next, null);
    assert.deepEqual(rest.items, [
      {
        ...{ id: '1', channel: 'ops', createdMs: 100, state: 'waiting', nextMs: 5000 },
        ...{ notice: { text: '1 \0 \u{1F680}' }, attempts: [failed] },
      },
    ]);
  });

  test('of very many attempts the latest are kept, and all are counted', async () => {
    await using store = await open();
    const { deliveries } = store.alerts;
    await deliveries.add([delivery('1', 'ops', 0)]);
    for (let atMs = 1; atMs <= 25; atMs++) await deliveries.settle('1', { ...failedAttempt, atMs }, atMs);
    const [log] = (await deliveries.list({})).items;
    assert.deepEqual([log?.attempts.length, log?.attempts.at(-1)?.atMs], [20, 25]);
    assert.equal((await deliveries.due(25, 1, []))[0]?.made, 25);
  });

  test('closed incidents and deliveries that are over go by age, and others never', async () => {
    await using store = await open();
    const all = [1, 2, 3, 4].map((n) => incident(`${n}`, `p/${n}`));
    await change(store, [], () => ({ incidents: all }));
    for (const n of [1, 2, 3]) await change(store, [`p/${n}`], () => ({ incidents: [] }), { nowMs: n * 100 });
    const { deliveries } = store.alerts;
    await deliveries.add([1, 2, 3].map((n) => delivery(`${n}`, 'ops', n * 100)));
    for (const id of ['1', '3']) await deliveries.settle(id, { ...failedAttempt, atMs: 1 }, null);
    assert.equal(await store.alerts.expire(300, 1), 2);
    assert.equal(await store.alerts.expire(300, 1), 1);
    assert.equal(await store.alerts.expire(300, 1), 0);
    assert.deepEqual(
      (await deliveries.list({})).items.map(({ id }) => id),
      ['3', '2'],
    );
    assert.equal((await store.alerts.open()).length, 1);
    assert.equal(await store.alerts.expire(1000, 100), 2);
  });
}
