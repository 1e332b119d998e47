import type { JobDefinition } from '../../jobs/index.ts';
import { readCommand } from './command.ts';
import { readHttp } from './http.ts';
import { secretsOf } from './masked.ts';
import { readPostgres } from './postgres.ts';
import { failed, type Reading } from './reading.ts';

export type BacklogSource = NonNullable<NonNullable<JobDefinition['instances']>['backlog']>['from'];

/** Never throws for what a source does. */
export type ReadBacklog = (from: BacklogSource, signal: AbortSignal) => Promise<Reading>;

/** What a job may use of the cloud. Who writes jobs need not be who runs the cloud. */
export interface BacklogRules {
  /** The cloud's environment. Of it, jobs may use what begins with ROCKSY_BACKLOG_. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether commands are run: by this process's user, on its machine. */
  readonly allowsCommands: boolean;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
const VARIABLES = /^ROCKSY_BACKLOG_/;
/** What commands get as well. */
const HARMLESS = ['PATH', 'HOME', 'LANG', 'TZ'];

export function backlogReader({ env, allowsCommands, timeoutMs = TIMEOUT_MS }: BacklogRules): ReadBacklog {
  return async (from, signal) => {
    const limits = { timeoutMs, signal };
    if ('http' in from) return readHttp(from.http, limits);
    if ('command' in from) {
      if (!allowsCommands) return failed('the cloud’s configuration allows no commands for backlogs');
      const given = environmentOf(env);
      const secrets = Object.entries(given).flatMap(([name, value]) =>
        VARIABLES.test(name) ? secretsOf(value) : [],
      );
      return readCommand(from.command, given, secrets, limits);
    }
    const { url_env: name, query } = from.postgres;
    if (!VARIABLES.test(name))
      return failed(`the name of the variable ${name} has to begin with ROCKSY_BACKLOG_`);
    const url = env[name] ?? '';
    return url === ''
      ? failed(`the cloud has no environment variable ${name}`)
      : readPostgres(url, query, limits);
  };
}

/** The environment of a command. */
function environmentOf(env: BacklogRules['env']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value !== undefined && (VARIABLES.test(name) || HARMLESS.includes(name)) ? [[name, value]] : [],
    ),
  );
}
