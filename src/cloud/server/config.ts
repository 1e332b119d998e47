import { dirname, join, resolve } from 'node:path';
import { type Static, Type } from 'typebox';
import {
  Checker,
  closed,
  DocumentError,
  duration,
  durationMs,
  Findings,
  flag,
  integer,
  isBadAddress,
  isBeyondLoopback,
  type Listen,
  longestTimerMs,
  parseListen,
  readDocument,
  readText,
  text,
} from '../../document/index.ts';
import { mistakesIn, type NotifyConfig, notifyConfigSchema } from '../notify/index.ts';

/* rocksy.yaml as it is written. Every schema's `description` completes the sentence "expected …". */

export const serverConfigSchema = Type.Object(
  {
    listen: Type.Optional(
      Type.Array(text('an address: tcp://HOST:PORT or unix:PATH'), {
        minItems: 1,
        description: 'a list of one or more addresses: tcp://HOST:PORT or unix:PATH',
      }),
    ),
    insecure: Type.Optional(flag),
    state: Type.Optional(text('the path of a folder')),
    store: Type.Optional(
      Type.String({ minLength: 1, writeOnly: true, description: 'sqlite:FILE, postgres://… or env:NAME' }),
    ),
    hosts: Type.Optional(
      Type.Object(
        { silent_after: Type.Optional(duration), lost_after: Type.Optional(duration) },
        { ...closed, description: 'a mapping with silent_after and lost_after' },
      ),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          queued: Type.Optional(integer(1, 10_000_000)),
          requests_per_minute: Type.Optional(integer(1, 100_000_000)),
        },
        { ...closed, description: 'a mapping with queued and requests_per_minute' },
      ),
    ),
    retention: Type.Optional(
      Type.Object(
        {
          runs: Type.Optional(duration),
          max_runs: Type.Optional(integer(0, 2_000_000_000)),
          ledger: Type.Optional(duration),
          events: Type.Optional(integer(100, 100_000_000)),
        },
        { ...closed, description: 'a mapping with runs, max_runs, ledger and events' },
      ),
    ),
    alerts: Type.Optional(
      Type.Object(
        {
          gather: Type.Optional(duration),
          channels: Type.Optional(notifyConfigSchema.properties.channels),
          heartbeat: Type.Optional(
            Type.Object(
              { url: text('a URL with http or https'), every: duration },
              { ...closed, description: 'a mapping with url and every' },
            ),
          ),
        },
        { ...closed, writeOnly: true, description: 'a mapping with channels, gather and heartbeat' },
      ),
    ),
    instances: Type.Optional(
      Type.Object(
        { allow_commands: Type.Optional(flag) },
        { ...closed, description: 'a mapping with allow_commands' },
      ),
    ),
    log: Type.Optional(
      Type.Object(
        {
          level: Type.Optional(
            Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
              description: 'trace, debug, info, warn, error, fatal or silent',
            }),
          ),
        },
        { ...closed, description: 'a mapping with level' },
      ),
    ),
  },
  { ...closed, description: 'a mapping with the settings of rocksy server' },
);

type RawConfig = Static<typeof serverConfigSchema>;

/** The configuration as the server uses it: absolute paths, ms, every default filled in. */
export interface ServerConfig {
  /** The file, absolute. */
  readonly path: string;
  readonly listen: readonly Listen[];
  readonly state: string;
  /** `sqlite:FILE` or `postgres://…`; may hold a password. */
  readonly store: string;
  readonly silentAfterMs: number;
  readonly lostAfterMs: number;
  readonly maxQueued: number;
  readonly requestsPerMinute: number;
  readonly retention: {
    readonly runsMs: number;
    readonly maxRuns: number;
    readonly ledgerMs: number;
    readonly events: number;
  };
  readonly alerts: NotifyConfig;
  /** How long news of one cause are gathered before anybody is told. */
  readonly gatherMs: number;
  /** Jobs may have commands run by the server, to count their backlogs. */
  readonly allowsCommands: boolean;
  readonly log: { readonly level: string };
}

const DEFAULT_PORT = 31380;
const checker = new Checker(serverConfigSchema, 'docs/server.md');

/** Reads and checks a configuration file; throws a DocumentError that has everything that is wrong with it. */
export function loadServerConfig(file: string, env: NodeJS.ProcessEnv): ServerConfig {
  return parseServerConfig(readText(resolve(file)), file, env);
}

/** The same of a text that stands, or stood, in `file`. */
export function parseServerConfig(text: string, file: string, env: NodeJS.ProcessEnv): ServerConfig {
  const path = resolve(file);
  const document = readDocument(text);
  if (document.value === undefined) throw new DocumentError(path, document.problems);
  // An empty file is all defaults.
  const { violations, sound } = checker.check(document.value ?? {});
  const findings = new Findings(path, document, violations);
  const config = sound === null ? null : resolveConfig(sound, path, env, findings);
  if (config === null || findings.problems.length > 0) throw new DocumentError(path, findings.problems);
  return config;
}

function resolveConfig(
  raw: RawConfig,
  path: string,
  env: NodeJS.ProcessEnv,
  findings: Findings,
): ServerConfig {
  const dir = dirname(path);
  const state = resolve(dir, raw.state ?? './var/cloud');
  const { retention = {}, hosts = {}, limits = {} } = raw;
  const ms = (written: string | undefined, standard: string, key: readonly string[]) =>
    durationMs(written ?? standard, [...key], findings);
  return {
    path,
    listen: resolveListen(raw, dir, findings),
    state,
    store: resolveStore(raw.store, dir, state, env, findings),
    silentAfterMs: durationMs(hosts.silent_after ?? '5s', ['hosts', 'silent_after'], findings, {
      max: longestTimerMs,
    }),
    lostAfterMs: durationMs(hosts.lost_after ?? '5m', ['hosts', 'lost_after'], findings, {
      max: longestTimerMs,
    }),
    maxQueued: limits.queued ?? 100_000,
    requestsPerMinute: limits.requests_per_minute ?? 6_000,
    retention: {
      runsMs: ms(retention.runs, '90d', ['retention', 'runs']),
      maxRuns: retention.max_runs ?? 10_000_000,
      ledgerMs: ms(retention.ledger, '400d', ['retention', 'ledger']),
      events: retention.events ?? 100_000,
    },
    alerts: resolveAlerts(raw.alerts ?? {}, findings),
    gatherMs: ms(raw.alerts?.gather, '1m', ['alerts', 'gather']),
    allowsCommands: raw.instances?.allow_commands ?? false,
    log: { level: raw.log?.level ?? 'info' },
  };
}

function resolveListen({ listen, insecure }: RawConfig, dir: string, findings: Findings): Listen[] {
  const written = listen ?? ['unix:./var/rocksy.sock', `tcp://127.0.0.1:${DEFAULT_PORT}`];
  const found = new Map<string, Listen>();
  for (const [index, each] of written.entries()) {
    const address = parseListen(each, dir, DEFAULT_PORT);
    if (isBadAddress(address)) findings.problem(['listen', index], address.message, address);
    else if (found.has(address.name)) findings.problem(['listen', index], `${address.name} is there twice`);
    else {
      if (isBeyondLoopback(address) && insecure !== true) {
        findings.problem(
          ['listen', index],
          `${address.name} can be reached from other machines, and there is no TLS: tokens travel in clear`,
          {
            hint: 'listen on 127.0.0.1 behind a proxy with TLS, or say `insecure: true` if the network is safe',
          },
        );
      }
      found.set(address.name, address);
    }
  }
  return [...found.values()];
}

function resolveAlerts(
  { channels = [], heartbeat }: NonNullable<RawConfig['alerts']>,
  findings: Findings,
): NotifyConfig {
  const every = ['alerts', 'heartbeat', 'every'];
  const beat =
    heartbeat === undefined
      ? null
      : {
          url: heartbeat.url,
          everyMs: durationMs(heartbeat.every, every, findings, { min: 1_000, max: 86_400_000 }),
        };
  const config: NotifyConfig = { channels, heartbeat: beat };
  for (const mistake of mistakesIn(config)) findings.problem(['alerts'], mistake);
  return config;
}

function resolveStore(
  written: string | undefined,
  dir: string,
  state: string,
  env: NodeJS.ProcessEnv,
  findings: Findings,
): string {
  const text = written?.startsWith('env:') ? env[written.slice('env:'.length)] : written;
  if (text === undefined && written !== undefined)
    findings.problem(['store'], `${written.slice('env:'.length)} is not set in the environment`);
  if (text === undefined) return `sqlite:${join(state, 'store.db')}`;
  return text.startsWith('sqlite:') ? `sqlite:${resolve(dir, text.slice('sqlite:'.length))}` : text;
}
