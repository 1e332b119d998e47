import { isUtf8 } from 'node:buffer';
import { CliError } from './exit.ts';

/** What fits in a line of the wire with room for the rest of the request. */
const MAX_BYTES = 1_000_000;

/** All of our standard input. It goes in the request, so it is bounded and must be text. */
export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) {
      throw new CliError(
        `Standard input is larger than ${MAX_BYTES} bytes, which is all that a request holds`,
        {
          hint: 'Write it to a file that the run can read.',
        },
      );
    }
    chunks.push(chunk);
  }
  const all = Buffer.concat(chunks);
  if (!isUtf8(all))
    throw new CliError('Standard input is not UTF-8', { hint: 'Encode it, or pass it in a file.' });
  return all.toString();
}
