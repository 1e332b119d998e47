import type { LogChunk, LogMatches } from '../../../api/index.ts';
import type { HostConnection } from '../../hosts/index.ts';
import { type RunKey, wireKeyOf } from '../../store/index.ts';
import type { Call, Handler, Handlers } from '../context.ts';
import { ApiError } from '../errors.ts';
import { hostName } from '../views.ts';
import { recordOf } from './runs.ts';

/** Where the log of an attempt lies, and by what name; of the last attempt where none is named. */
export async function logPlace(
  call: Pick<Call<'runLog'>, 'params' | 'asker' | 'cloud'>,
  attempt: number | undefined,
): Promise<{ readonly connection: HostConnection; readonly key: RunKey; readonly ended: boolean }> {
  const { cloud } = call;
  const run = await recordOf(call);
  const wanted = attempt ?? run.attempt;
  const former = wanted === run.attempt ? null : await cloud.store.runs.formerAttempts(run.key);
  const hostId =
    former === null ? run.hostId : (former.find((each) => each.attempt === wanted)?.hostId ?? null);
  if (hostId === null && run.state === 'ended')
    throw new ApiError(404, 'never_began', `The run ${run.key} ended before it began, and has no log`);
  if (hostId === null)
    throw new ApiError(404, 'no_log', `The run ${run.key} has not been given to a host, and has no log yet`);
  const connection = cloud.leader.hub.connection(hostId);
  if (connection === undefined) {
    throw new ApiError(
      503,
      'host_away',
      `The log lies on ${hostName(cloud.leader, hostId)}, which is not connected`,
      {
        detail: 'it can be read when that is back',
      },
    );
  }
  return { connection, key: wireKeyOf(run.key, wanted), ended: run.state === 'ended' };
}

const runLog: Handler<'runLog'> = async (call) => {
  const { offset, length, since_ms: since, attempt } = call.query;
  const { connection, key } = await logPlace(call, attempt);
  const {
    id: _id,
    ok: _ok,
    ...chunk
  } = await connection.request('logs', {
    key,
    ...(offset === undefined ? {} : { offset }),
    ...(length === undefined ? {} : { length }),
    ...(since === undefined ? {} : { since }),
  });
  return chunk as LogChunk;
};

const searchLog: Handler<'searchLog'> = async (call) => {
  const { attempt, ...query } = call.query;
  const { connection, key } = await logPlace(call, attempt);
  const { id: _id, ok: _ok, ...found } = await connection.request('search', { key, ...query });
  return found as LogMatches;
};

export const logHandlers = { runLog, searchLog } satisfies Partial<Handlers>;
