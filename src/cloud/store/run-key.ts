import { createHash } from 'node:crypto';
import type { JobId, RunKey } from './vocabulary.ts';

/** The namespace of the names of later attempts: chosen once at random, never to change. */
const ATTEMPTS = '6f1c1fc5-6e0f-4c55-9a3a-5d2b6f0f0c6e';

/**
 * The key of a scheduled run: whoever computes it, on whatever instance, gets the same, so no failover can double the
 * run. The job's id is the namespace, the due instant in decimal milliseconds the name.
 */
export function runKeyOf(jobId: JobId, dueMs: number): RunKey {
  return uuidV5(jobId, String(dueMs)) as RunKey;
}

/**
 * The key under which a host knows an attempt. The first one's is the run's own. That of a later one can't be chosen by
 * anybody else: a run of that name would pass for the attempt.
 */
export function wireKeyOf(key: RunKey, attempt: number): RunKey {
  return attempt === 1 ? key : (uuidV5(ATTEMPTS, `${attempt}/${key}`) as RunKey);
}

/** RFC 9562, section 5.5. */
export function uuidV5(namespace: string, name: string): string {
  const space = Buffer.from(namespace.replaceAll('-', ''), 'hex');
  if (space.length !== 16) throw new Error(`'${namespace}' is not a UUID, and only one can be a namespace`);
  const bytes = createHash('sha1').update(space).update(name).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
