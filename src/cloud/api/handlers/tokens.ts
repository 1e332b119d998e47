import { randomUUID } from 'node:crypto';
import { newToken } from '../auth.ts';
import type { Handler, Handlers } from '../context.ts';
import { ApiError, notFound } from '../errors.ts';
import { tokenView } from '../views.ts';

const listTokens: Handler<'listTokens'> = async ({ cloud }) => ({
  items: (await cloud.store.tokens.list()).map(tokenView),
});

const createToken: Handler<'createToken'> = async ({
  body: { name, role, project = null },
  cloud,
  asker,
}) => {
  const { token, hash } = newToken();
  const record = { id: randomUUID(), name, role, project, createdMs: cloud.clock.nowMs() };
  if (!(await cloud.store.tokens.create({ ...record, hash })))
    throw new ApiError(409, 'exists', `There is a token ${name} already`, {
      detail: 'revoke it first, or take another name',
    });
  await cloud.store.audit.record({
    ...{
      atMs: record.createdMs,
      who: asker.name,
      what: 'create',
      target: `token ${name}`,
      detail: { role, project },
    },
  });
  return { token, record: tokenView({ ...record, lastUsedMs: null }) };
};

const revokeToken: Handler<'revokeToken'> = async ({ params: { name }, cloud, asker }) => {
  const atMs = cloud.clock.nowMs();
  if (!(await cloud.store.tokens.revoke(name, atMs))) throw notFound(`token ${name}`);
  await cloud.store.audit.record({
    atMs,
    who: asker.name,
    what: 'revoke',
    target: `token ${name}`,
    detail: null,
  });
  return { ok: true };
};

const audit: Handler<'audit'> = async ({ query, cloud }) => {
  const { items, next } = await cloud.store.audit.list(query);
  const shown = items.map(({ id, atMs, who, what, target, detail }) => ({
    id,
    at_ms: atMs,
    who,
    what,
    target,
    detail,
  }));
  return { items: shown, next };
};

export const tokenHandlers = { listTokens, createToken, revokeToken, audit } satisfies Partial<Handlers>;
