import { randomBytes } from 'node:crypto';
import type { HostRecord } from '../../store/index.ts';
import { digestOf } from '../auth.ts';
import type { Call, Handler, Handlers } from '../context.ts';
import { notFound } from '../errors.ts';
import { hostView } from '../views.ts';

const INVITATION_MS = 86_400_000;

type OfHost = Pick<Call<'cordonHost'>, 'params' | 'asker' | 'cloud'>;

async function hostOf({ params, cloud }: OfHost): Promise<HostRecord> {
  const hosts = await cloud.store.hosts.list();
  const host = hosts.find(({ name, id }) => name === params.host || id === params.host);
  if (host === undefined) throw notFound(`host ${params.host}`);
  return host;
}

async function record(
  { cloud, asker }: OfHost,
  what: string,
  target: string,
  detail: unknown = null,
): Promise<void> {
  await cloud.store.audit.record({ atMs: cloud.clock.nowMs(), who: asker.name, what, target, detail });
}

const listHosts: Handler<'listHosts'> = async ({ cloud }) => ({
  items: (await cloud.store.hosts.list()).map((host) => hostView(cloud.leader, host)),
});

const inviteHost: Handler<'inviteHost'> = async ({ body, cloud, asker }) => {
  const token = `rkj_${randomBytes(24).toString('base64url')}`;
  const nowMs = cloud.clock.nowMs();
  const expiresMs = nowMs + (body.expires_in_ms ?? INVITATION_MS);
  await cloud.store.hosts.invite({ hash: digestOf(token), by: asker.name, nowMs, expiresMs });
  await record({ cloud, asker, params: { host: '' } }, 'invite', 'hosts');
  return { token, expires_ms: expiresMs };
};

const joinHost: Handler<'joinHost'> = async ({ body, cloud }) => {
  const { token, name, credential_sha256: credentialHash } = body;
  const id = await cloud.leader.hub.join({ token, name, credentialHash });
  await cloud.store.audit.record({
    ...{
      atMs: cloud.clock.nowMs(),
      who: `host ${name}`,
      what: 'join',
      target: `host ${name}`,
      detail: { id },
    },
  });
  return { host_id: id };
};

async function mark(call: OfHost, marks: { readonly cordoned?: boolean; readonly draining?: boolean }) {
  const { leader, store, clock } = call.cloud;
  const host = await hostOf(call);
  const since = (was: number | null, is: boolean | undefined) =>
    is === undefined ? was : is ? (was ?? clock.nowMs()) : null;
  await store.hosts.mark(host.id, {
    cordonedMs: since(host.cordonedMs, marks.cordoned),
    drainingMs: since(host.drainingMs, marks.draining),
  });
  const slot = leader.dispatcher.hosts.slot(host.id, host.name);
  slot.cordoned = marks.cordoned ?? slot.cordoned;
  slot.draining = marks.draining ?? slot.draining;
  leader.dispatcher.hostsChanged();
  await record(call, 'mark', `host ${host.name}`, marks);
  await leader.tell({ kind: 'host', id: host.id, name: host.name, contact: slot.contact });
  return hostView(leader, await hostOf(call));
}

const cordonHost: Handler<'cordonHost'> = (call) => mark(call, { cordoned: call.body.on ?? true });
const drainHost: Handler<'drainHost'> = (call) => mark(call, { draining: call.body.on ?? true });

const removeHost: Handler<'removeHost'> = async (call) => {
  const host = await hostOf(call);
  await call.cloud.leader.hub.remove(host.id);
  await record(call, 'remove', `host ${host.name}`);
  return { ok: true };
};

export const hostHandlers = {
  listHosts,
  inviteHost,
  joinHost,
  cordonHost,
  drainHost,
  removeHost,
} satisfies Partial<Handlers>;
