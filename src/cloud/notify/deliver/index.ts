// One attempt to bring a notice to one receiver: signed webhook, Slack, e-mail; and one beat of the heartbeat.
// It must not know of retries or of what was delivered before: a result comes back, and nothing is kept.
// Secrets go to their receiver and nowhere else; no result contains one.
export { type Deliver, deliver } from './deliver.ts';
export { sendHeartbeat } from './heartbeat.ts';
export type { Message } from './message.ts';
export type { Limits } from './request.ts';
export { type Result, resultOf } from './result.ts';
