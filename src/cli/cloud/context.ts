import type { Command } from 'commander';
import { type CloudClient, connectCloud } from '../../client/index.ts';
import { ourTerminal } from '../context.ts';
import type { Terminal } from '../terminal.ts';

/** What a command that asks the cloud works with. */
export interface CloudContext {
  readonly cloud: CloudClient;
  readonly terminal: Terminal;
  readonly json: boolean;
}

interface GlobalOptions {
  readonly url?: string;
  readonly json?: true;
  readonly tokenFile?: string;
}

/** Makes an action of a function that gets its arguments after a client of the cloud. */
export function withCloud<A extends unknown[]>(act: (context: CloudContext, ...args: A) => Promise<void>) {
  return async function action(this: Command, ...args: A): Promise<void> {
    const { url, json, tokenFile: token } = this.optsWithGlobals<GlobalOptions>();
    using cloud = connectCloud(url, { token: token ?? process.env.ROCKSY_TOKEN });
    await act({ cloud, terminal: ourTerminal(), json: json === true }, ...args);
  };
}

/** Of a command that both can answer: the cloud where `--url` or ROCKSY_URL says so, else the local daemon. */
export function cloudOr<A extends unknown[]>(
  ofCloud: (this: Command, ...args: A) => Promise<void>,
  ofDaemon: (this: Command, ...args: A) => Promise<void>,
) {
  return async function action(this: Command, ...args: A): Promise<void> {
    const { url } = this.optsWithGlobals<GlobalOptions>();
    const isCloud = url !== undefined || (process.env.ROCKSY_URL ?? '') !== '';
    await (isCloud ? ofCloud : ofDaemon).apply(this, args);
  };
}

const DEFAULT_PROJECT = 'default';

/** `project/name`, or a name of the project `default`. */
export function jobName(text: string): { readonly project: string; readonly name: string } {
  const at = text.indexOf('/');
  return at < 0
    ? { project: DEFAULT_PROJECT, name: text }
    : { project: text.slice(0, at), name: text.slice(at + 1) };
}
