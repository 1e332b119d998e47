// A process: the cloud's leader and API in it, and hosts that are simulated. Started by bench/dispatch.ts.
//   node simulated.ts STORE_URL SOCKET HOSTS

import pino from 'pino';
import { Api } from '../../src/cloud/api/index.ts';
import { systemClock } from '../../src/cloud/clock.ts';
import type { HostLink } from '../../src/cloud/dispatch/index.ts';
import { Leader } from '../../src/cloud/leader/index.ts';
import { openStore } from '../../src/cloud/store/index.ts';
import type { RunView } from '../../src/wire/index.ts';

const [url = '', socket = '', hosts = '100'] = process.argv.slice(2);
const log = pino({ level: 'warn' }, pino.destination(2));
const fail = (error: unknown): never => {
  log.fatal({ err: error }, 'failed');
  process.exit(1);
};
const store = await openStore(url, { schema: 'create', onIdleError: fail });
const leader = await Leader.start({
  store,
  clock: systemClock,
  log,
  version: 'bench',
  holder: 'bench',
  isAlone: true,
  silentAfterMs: 60_000,
  lostAfterMs: 60_000,
  maxQueued: 1_000_000,
  allowsCommands: false,
  deposed: fail,
});
if (leader === null) throw new Error('somebody else leads');
// As the server itself does when it has started.
globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });

/** What was due before was due while this process started. */
let servesMs = Number.POSITIVE_INFINITY;
/** When each run was asked for on its host, less when it was due. */
const lateness: number[] = [];
let ended = 0;

for (let i = 0; i < Number(hosts); i++) addHost(leader, i);

/** A host that begins at once what it is given, and has ended it a turn later. */
function addHost({ dispatcher }: Leader, number: number): void {
  const slot = dispatcher.hosts.slot(`host-${number}`, `host-${number}`);
  slot.capacity = 100;
  slot.pools = new Set(['os']);
  const link: HostLink = {
    async request(name, fields) {
      if (name !== 'run') return {};
      const { key, env } = fields as {
        readonly key: string;
        readonly env?: { readonly ROCKSY_DUE?: string };
      };
      const nowMs = Date.now();
      const dueMs = env?.ROCKSY_DUE === undefined ? null : Date.parse(env.ROCKSY_DUE);
      if (dueMs !== null && dueMs >= servesMs) lateness.push(nowMs - dueMs);
      setImmediate(() => {
        ended++;
        dispatcher.hostReports(slot, view(key, 'ended', nowMs));
      });
      return { run: view(key, 'running', nowMs) };
    },
  };
  dispatcher.hostConnected(slot, link, []);
}

function view(key: string, state: 'running' | 'ended', nowMs: number): RunView {
  const isOver = state === 'ended';
  return {
    ...{
      key,
      state,
      job: null,
      pool: 'os',
      generation: 1,
      class: null,
      argv: ['true'],
      signal: null,
      error: null,
    },
    ...{
      result: null,
      progress: null,
      pid: 1,
      queued_ms: nowMs,
      started_ms: nowMs,
      retcode: isOver ? 0 : null,
    },
    ...{
      outcome: isOver ? 'succeeded' : null,
      code: isOver ? 0 : null,
      ended_ms: isOver ? Date.now() : null,
    },
    ...{ cpu_user_ms: 0, cpu_system_ms: 0, max_rss_bytes: 0 },
  } as unknown as RunView;
}

const restart = () => Promise.resolve();
const cloud = { version: '0', startedMs: Date.now(), store, leader, clock: systemClock, log, restart };
const api = await Api.create({ cloud, requestsPerMinute: 100_000_000 });
api.server().listen(socket, () => {
  servesMs = Date.now();
  process.send?.({ listening: true });
});

process.on('message', (message) => {
  if (message === 'counts')
    process.send?.({
      ended,
      active: leader.dispatcher.activeCount,
      lateness: lateness.splice(0),
      rss: process.memoryUsage().rss,
    });
});
