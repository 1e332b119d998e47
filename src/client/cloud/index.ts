// The TypeScript client of the cloud's HTTP API: every operation of the contract (src/api), typed, and its streams.
// For programs and the command line.
// It must not know how the cloud does anything.
export { type CloudAddress, cloudAddressText, parseCloudAddress } from './address.ts';
export { type CallMore, CloudClient, type CloudEvent, type CloudOptions, connectCloud } from './client.ts';
export { CloudError } from './error.ts';
