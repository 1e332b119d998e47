// What people are told when jobs are in trouble: incidents instead of mails, brought to webhooks, Slack and e-mail.
// It must not know hosts, HTTP servers or SQL: it reads the log of events, and keeps what it knows in the store.
// `observe` and `sweep` are pure; deliver/ and the classes act, and Alerting is all of them together.
export { Alerting, type AlertingOptions } from './alerting.ts';
export { type AlertState, type AlertStep, nextSweepMs, observe, QUIET_STATE, sweep } from './alerts.ts';
export type { Clock } from './clock.ts';
export { type Channel, mistakesIn, type NotifyConfig, notifyConfigSchema } from './config.ts';
export type { Expectation } from './expectations.ts';
export type { Gathering } from './gather.ts';
export { Heartbeat, type HeartbeatOptions } from './heartbeat.ts';
export { type Incident, sweepDueMs } from './incident.ts';
export type { Notice, NoticeJob, NoticeWhat } from './notice.ts';
export { INCIDENT_KINDS, type IncidentKind, type Observation, type ObservationKind } from './observation.ts';
export { Outbox, type OutboxOptions } from './outbox.ts';
export type { Attempt, DeliveryLog, DueDelivery, OutboxPage, OutboxStore } from './outbox-store.ts';
export { deliveriesOf, type NewDelivery } from './route.ts';
