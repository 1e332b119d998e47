import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

/** So much waits at most for a log that nobody reads; what comes beyond it is dropped, never waited for. */
const MAX_WAITING_BYTES = 1 << 20;

/**
 * JSON lines on standard error; on a terminal, lines for people.
 * @param output the descriptor that decides which
 * @param readers `people`: lines for them wherever it goes, with colours on a terminal
 */
export function createLog(
  level: string,
  name: string,
  output: number,
  readers: 'whoever_is_there' | 'people' = 'whoever_is_there',
): Logger {
  const options = { level, base: { pid: process.pid, name }, timestamp: pino.stdTimeFunctions.isoTime };
  if (readers === 'people' || isatty(output)) {
    const look = { ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', colorize: isatty(output) };
    return pino(options, pretty({ destination: 2, sync: true, ...look }));
  }
  return pino(options, pino.destination({ dest: 2, sync: false, maxLength: MAX_WAITING_BYTES }));
}

/** Resolves when what was logged has been written; without an error also when nobody takes it within `ms`. */
export function flushed(log: Logger, ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
    log.flush(() => resolve());
  });
}

/** Ends the process when the log has been written, or after a second when nobody reads it. */
export function exitAfterFlush(log: Logger, code: number): void {
  setTimeout(() => process.exit(code), 1_000).unref();
  log.flush(() => process.exit(code));
}
