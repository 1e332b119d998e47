// The cloud's side of the host links: who may come in, the requests of the wire, one a message, and what hosts report.
// For the dispatcher, which asks hosts, and the API, which shows their logs.
// It must not know what a run is for, nor decide anything about one: it brings words from one side to the other.
export { type Fields, HostConnection, LinkLost } from './connection.ts';
export { HostHub, type HubOptions } from './hub.ts';
