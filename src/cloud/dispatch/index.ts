// What becomes of a run in the cloud: its states from queue to outcome, attempts, retries, cancellation. Pure.
// It must not know of the store, of links or of clocks: events and times come in, a state and what is to be done go out.
// What a host really did is decided by the host alone; here it is only believed, once and for ever.
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
