// The requests of the wire with their schemas: one type for each, and the check that makes it of a line.
// For whoever answers requests. Apart from src/wire, because the schemas cost 20 MB and 200 ms where nobody checks.
// Must not know answers, sockets or who asks.
export {
  parseRequest,
  type Request,
  type RequestName,
  type RequestNamed,
  type RunRequestName,
} from './requests.ts';
