import { isUtf8 } from 'node:buffer';

/** A piece of a log as a line of JSON: text where it is text, else base64, as on the wire. */
export function logLine(chunk: Uint8Array): string {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const data = isUtf8(bytes) ? { data: bytes.toString() } : { data_base64: bytes.toString('base64') };
  return `${JSON.stringify({ event: 'data', ...data })}\n`;
}
