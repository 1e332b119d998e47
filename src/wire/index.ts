// The daemon's line protocol: framing, requests with their schemas, answers, error codes (docs/wire.md).
// For the daemon that answers and for the clients that ask.
// Must not know sockets, processes or where anything is stored.
export {
  encodeAnswer,
  errorFields,
  type GenerationView,
  type HostView,
  ORIGINAL,
  type OutcomeName,
  originalUnknown,
  type PoolView,
  type Progress,
  type RunEventName,
  type RunState,
  type RunView,
  type TakeoverView,
} from './answers.ts';
export { ERROR_CODES, type ErrorCode, RocksyError } from './errors.ts';
export { type Framed, LineFramer } from './frame.ts';
export {
  type JsonValue,
  jsonDepth,
  MAX_JSON_DEPTH,
  numberText,
  parseObject,
  type RawNumber,
} from './json.ts';
export { fileOfKey, parseKey, type RunFile, type RunKey } from './key.ts';
export { ORIGINAL_REQUESTS, parseLine, type RawRequest, type RequestId } from './line.ts';
export type { Request, RequestName, RequestNamed, RunRequestName } from './requests/index.ts';
