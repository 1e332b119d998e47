// What becomes of a run in the cloud, from queue to outcome: states, attempts, retries (pure), and the dispatcher that
// leads runs through them: queue, placement, the requests to hosts, the way into the store.
// It must not know how hosts are connected or what a schedule is. What a host did is decided by the host's word alone.
export { Commits, type CommitsOptions, type Write } from './commits.ts';
export {
  Dispatcher,
  type DispatcherOptions,
  eventOfNew,
  type HostLink,
  HostRefusal,
  QueueFull,
  type RunRequest,
  type WaitsFor,
} from './dispatcher.ts';
export type { HostSlot, HostSlots } from './host-slots.ts';
export { PRIORITY_STEP_MS } from './queue.ts';
export { type RetryReason, retryDelayMs } from './retry.ts';
export {
  type Action,
  type CloudRun,
  type Delivery,
  type Event,
  type Outcome,
  type Phase,
  queued,
  type Step,
  step,
} from './run.ts';
export { type ParentResult, type RunSpec, specOf } from './spec.ts';
