import { createHash } from 'node:crypto';
import type { Channel } from './config.ts';
import { type Notice, projectOf } from './notice.ts';
import { INCIDENT_KINDS } from './observation.ts';

/** A notice on its way to one channel. */
export interface NewDelivery {
  /** The same for the same notice and channel, at whatever attempt. */
  readonly id: string;
  /** The name of the channel: its address and its secrets are looked up when it is sent. */
  readonly channel: string;
  readonly notice: Notice;
  readonly dueMs: number;
}

/** Which channels a notice goes to, and to each only what its projects are concerned with. */
export function deliveriesOf(notice: Notice, channels: readonly Channel[], nowMs: number): NewDelivery[] {
  return channels.flatMap(({ name, on = INCIDENT_KINDS, projects = null }) => {
    const part = on.includes(notice.kind) ? partOf(notice, projects) : null;
    if (part === null) return [];
    const id = createHash('sha256')
      .update(JSON.stringify([notice.id, name]))
      .digest('hex')
      .slice(0, 24);
    return [{ id: `msg_${id}`, channel: name, notice: part, dueMs: nowMs }];
  });
}

function partOf(notice: Notice, projects: readonly string[] | null): Notice | null {
  if (projects === null) return notice;
  const jobs = notice.jobs.filter(({ job }) => projects.includes(projectOf(job)));
  const more = notice.more.filter(({ project }) => projects.includes(project));
  return jobs.length === 0 && more.length === 0 ? null : { ...notice, jobs, more };
}
