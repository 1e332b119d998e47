// The host's link to the cloud: joining once, dialling for ever, one WebSocket that carries the lines of the wire.
// For the worker, which starts and closes it; requests are answered elsewhere.
// Must not know what a request means, nor runs and pools.
export { HostLink, type HostLinkOptions, type LinkTiming } from './link.ts';
