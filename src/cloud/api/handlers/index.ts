// What each operation of the API does, a file for each resource.
// For the server, which has checked input and role by then.
// They must not know HTTP beyond a header that they set.
import type { Handlers } from '../context.ts';
import { alertHandlers } from './alerts.ts';
import { hostHandlers } from './hosts.ts';
import { jobHandlers } from './jobs.ts';
import { logHandlers, logPlace } from './logs.ts';
import { runHandlers } from './runs.ts';
import { statusHandlers } from './status.ts';
import { tokenHandlers } from './tokens.ts';
import { whyHandlers } from './why.ts';

export { logPlace };
export const handlers: Handlers = {
  ...statusHandlers,
  ...whyHandlers,
  ...jobHandlers,
  ...runHandlers,
  ...logHandlers,
  ...hostHandlers,
  ...tokenHandlers,
  ...alertHandlers,
};
