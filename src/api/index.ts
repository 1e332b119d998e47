// The contract of the HTTP API under /api/v1: what can be asked for, by whom, what goes in and what comes out.
// For the cloud, which answers, and for the clients, which ask: types and OpenAPI come from the same schemas.
// It must not know either side.
export { openApi } from './openapi.ts';
export {
  type Answer,
  type Input,
  type Operation,
  type OperationName,
  type Operations,
  operations,
} from './operations.ts';
export type {
  AlertDelivery,
  Attempt,
  AuditEntry,
  Fire,
  Host,
  Incident,
  Job,
  JobChange,
  JobVersion,
  LogChunk,
  LogMatches,
  Problem,
  Role,
  Run,
  Status,
  Token,
  WaitsFor,
  Why,
} from './resources.ts';
export { operationTable, withTable } from './table.ts';
