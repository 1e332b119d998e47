// What people are told when jobs are in trouble: incidents instead of mails, brought to webhooks, Slack and e-mail.
// It must not know hosts, HTTP servers or SQL: it reads the log of events, and keeps what it knows in the store.
// `observe` and `sweep` are pure; deliver/ and the classes act, and Alerting is all of them together.
export { Alerting } from './alerting.ts';
export { mistakesIn, type NotifyConfig, notifyConfigSchema } from './config.ts';
export type { Incident } from './incident.ts';
