import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TakeoverRefused } from '../../takeover/index.ts';
import { Restart } from './restart.ts';

test('all who ask while a restart is under way hear how it goes, and the next one is another', async () => {
  const takeovers: PromiseWithResolvers<never>[] = [];
  const told: unknown[] = [];
  const restart = new Restart(
    {
      takeover: () => {
        const takeover = Promise.withResolvers<never>();
        takeovers.push(takeover);
        return takeover.promise;
      },
    },
    { error: (fields: unknown) => void told.push(fields) },
  );
  const both = [restart.ask(), restart.ask()];
  takeovers[0]?.reject(new TakeoverRefused('it is no good', 'rocksy.yaml:3: bogus'));
  for (const each of both) await assert.rejects(each, { message: 'it is no good' });
  assert.deepEqual(told, [{ reason: 'it is no good', output: 'rocksy.yaml:3: bogus' }]);
  const next = restart.ask();
  restart.begins();
  await next;
  assert.equal(takeovers.length, 2);
});
