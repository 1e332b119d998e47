import type { Incident as KeptIncident } from '../../notify/index.ts';
import { assertProject } from '../auth.ts';
import type { Handler, Handlers } from '../context.ts';

const listIncidents: Handler<'listIncidents'> = async ({ cloud, asker }) => {
  const incidents = await cloud.store.alerts.open<KeptIncident>();
  const seen = incidents.filter(({ job }) => asker.project === null || job.startsWith(`${asker.project}/`));
  const items = seen.map(({ id, job, kind, cause, openedMs, lastMs, lastRun, count, phase }) => ({
    id,
    job,
    kind,
    cause,
    opened_ms: openedMs,
    last_ms: lastMs,
    last_run: lastRun,
    count,
    state: phase.state,
  }));
  return { items };
};

const listDeliveries: Handler<'listDeliveries'> = async ({ cloud, asker, query }) => {
  // Notices may be of several projects.
  assertProject(asker, '*', 'log of deliveries');
  const { items, next } = await cloud.store.alerts.deliveries.list(query);
  const shown = items.map(({ id, channel, state, createdMs, nextMs, attempts, notice }) => ({
    id,
    channel,
    state,
    created_ms: createdMs,
    next_ms: nextMs,
    attempts: attempts.map(({ atMs, ok, status, detail }) => ({ at_ms: atMs, ok, status, detail })),
    notice,
  }));
  return { items: shown, next };
};

export const alertHandlers = { listIncidents, listDeliveries } satisfies Partial<Handlers>;
