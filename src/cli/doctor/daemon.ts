import { type Client, ConnectionError, RocksyError } from '../../client/index.ts';
import { problemOf } from '../describe.ts';
import type { Finding } from './finding.ts';

/** Whether a daemon answers, where it listens, and whether its pools serve. */
export async function daemonChecks(client: Client): Promise<Finding[]> {
  const name = 'rocksyd';
  try {
    const { version, pid, role } = await client.hello();
    const where = client.addresses.join(', ');
    const detail = `${version}, pid ${pid}, answers at ${where}${role === null ? '' : ` (you are ${role})`}`;
    return [{ verdict: 'ok', name, detail }, ...(await listeners(client)), ...(await pools(client))];
  } catch (error) {
    if (error instanceof ConnectionError) {
      return [{ verdict: 'warn', name, detail: error.message, remedy: 'rocksyd --config rocksyd.yaml' }];
    }
    if (error instanceof RocksyError) {
      return [{ verdict: 'warn', name, detail: error.message, remedy: error.hint ?? 'see --token-file' }];
    }
    throw error;
  }
}

async function listeners(client: Client): Promise<Finding[]> {
  const { listeners: all } = await client.stats();
  if (!Array.isArray(all)) return [];
  return [{ verdict: 'ok', name: 'listeners', detail: all.map(String).join(', ') }];
}

/** A pool that serves may still have a problem: its newest generation did not come up. */
async function pools(client: Client): Promise<Finding[]> {
  return (await client.pools()).map((pool) => {
    const name = `pool ${pool.name}`;
    const problem = problemOf(pool);
    const state = `${pool.runtime}, ${pool.state}`;
    if (pool.state !== 'unavailable' && problem === '') return { verdict: 'ok', name, detail: state };
    const remedy = `mend its bootstrap, then rocksy reload ${pool.name}`;
    return { verdict: 'warn', name, detail: problem === '' ? state : `${state}: ${problem}`, remedy };
  });
}
