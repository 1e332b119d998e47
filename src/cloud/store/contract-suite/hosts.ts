import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostId } from '../index.ts';
import type { Stores } from './fixtures.ts';

export function hostsSuite(stores: Stores): void {
  test('a host joins once by a token, and by the same credential again', async () => {
    await using store = await stores.one();
    await store.hosts.invite({ hash: 't', by: 'ann', nowMs: 0, expiresMs: 1000 });
    const enrolment = { tokenHash: 't', name: 'web-1', credentialHash: 'c', nowMs: 10 };
    const id = await store.hosts.enrol({ ...enrolment, hostId: 'h1' as HostId });
    assert.equal(await store.hosts.enrol({ ...enrolment, hostId: 'h2' as HostId }), id);
    const refused = { code: 'join_refused' };
    await assert.rejects(store.hosts.enrol({ ...enrolment, hostId: id, credentialHash: 'd' }), refused);
    await assert.rejects(store.hosts.enrol({ ...enrolment, hostId: id, tokenHash: 'x' }), refused);
    await store.hosts.invite({ hash: 't2', by: 'ann', nowMs: 0, expiresMs: 1000 });
    const late = { ...enrolment, tokenHash: 't2', hostId: 'h3' as HostId };
    await assert.rejects(store.hosts.enrol({ ...late, nowMs: 1000 }), refused);
    await assert.rejects(store.hosts.enrol(late), { ...refused, message: 'there is a host web-1 already' });
    await store.hosts.remove(id);
    assert.equal(await store.hosts.enrol({ ...late, credentialHash: 'd' }), 'h3');
  });

  test('a host that shows an older incarnation than it has confirmed is a copy; of those it was given since it may have any', async () => {
    await using store = await stores.one();
    await store.hosts.invite({ hash: 't', by: 'ann', nowMs: 0, expiresMs: 1000 });
    const id = await store.hosts.enrol({
      tokenHash: 't',
      name: 'web-1',
      credentialHash: 'c',
      nowMs: 10,
      hostId: 'h' as HostId,
    });
    const stale = { code: 'stale_host' };
    const tell = (incarnation: number) =>
      store.hosts.describe(id, { incarnation, labels: { zone: 'a' }, capacity: 4, facts, nowMs: 99 });
    const facts = { version: '1', pools: [{ name: 'os', runtime: 'command' }] };
    // Links that are cut before the host has heard its number, one after the other.
    for (const given of [1, 2, 3]) assert.equal(await store.hosts.enter(id, 0), given);
    // It has heard the second one, and its answer was lost.
    assert.equal(await store.hosts.enter(id, 2), 4);
    await assert.rejects(store.hosts.enter(id, 1), stale);
    await assert.rejects(store.hosts.enter(id, 5), stale, 'it was never given');
    await tell(4);
    await assert.rejects(store.hosts.enter(id, 3), stale);
    assert.equal(await store.hosts.enter(id, 4), 5);
    await tell(5);
    await tell(4);
    await assert.rejects(store.hosts.enter(id, 4), stale, 'what is told late takes nothing back');
    const [host] = await store.hosts.list();
    assert.deepEqual([host?.labels, host?.capacity, host?.facts], [{ zone: 'a' }, 4, facts]);
  });
}
