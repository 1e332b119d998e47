import { type Command, Option } from 'commander';
import { subcommand } from '../context.ts';
import { table } from '../table.ts';
import { harmless } from '../terminal.ts';
import { count } from '../values.ts';
import { withCloud } from './context.ts';
import { ago, localTime } from './describe.ts';

interface CreateOptions {
  readonly role: 'viewer' | 'operator' | 'admin';
  readonly project?: string;
}

export function tokens(): Command {
  const command = subcommand('tokens', 'List, make and revoke tokens', [
    'rocksy tokens',
    'rocksy tokens create ci --role operator --project shop',
    'rocksy tokens revoke ci',
  ]).action(
    withCloud(async ({ cloud, terminal, json }) => {
      const { items } = await cloud.call('listTokens', {});
      if (json) {
        terminal.json(items);
        return;
      }
      const now = Date.now();
      const rows = items.map((token) => [
        harmless(token.name),
        token.role,
        harmless(token.project ?? 'all'),
        ago(token.created_ms, now),
        ago(token.last_used_ms, now),
      ]);
      terminal.print(table(['TOKEN', 'ROLE', 'PROJECT', 'CREATED', 'USED'], rows));
    }),
  );
  command
    .command('create <name>')
    .description('make a token; it is shown this once')
    .addOption(
      new Option('--role <role>', 'what it may')
        .choices(['viewer', 'operator', 'admin'])
        .makeOptionMandatory(),
    )
    .option('--project <name>', 'of one project')
    .action(
      withCloud(async ({ cloud, terminal, json }, name: string, { role, project }: CreateOptions) => {
        const answer = await cloud.call('createToken', {
          body: { name, role, ...(project === undefined ? {} : { project }) },
        });
        if (json) terminal.json(answer);
        else {
          terminal.print(answer.token);
          terminal.note('It is shown this once: keep it in a file that only you can read, for --token-file.');
        }
      }),
    );
  command
    .command('revoke <name>')
    .description('make a token worthless')
    .action(
      withCloud(async ({ cloud, terminal, json }, name: string) => {
        const answer = await cloud.call('revokeToken', { params: { name } });
        if (json) terminal.json(answer);
        else terminal.print(`${harmless(name)} is worthless now`);
      }),
    );
  return command;
}

export function audit(): Command {
  return subcommand('audit', 'Who did what', ['rocksy audit', 'rocksy audit --who ci'])
    .option('--who <name>', 'of one token or user')
    .option('--target <text>', 'to one thing, such as "job shop/report"')
    .option('-n, --limit <count>', 'at most so many', count, 50)
    .action(
      withCloud(
        async (
          { cloud, terminal, json },
          { limit, ...filter }: { readonly who?: string; readonly target?: string; readonly limit: number },
        ) => {
          const { items } = await cloud.call('audit', {
            query: { ...filter, limit: Math.max(1, Math.min(1000, limit)) },
          });
          if (json) {
            terminal.json(items);
            return;
          }
          const rows = items.map((entry) => [
            localTime(entry.at_ms),
            harmless(entry.who),
            entry.what,
            harmless(entry.target),
            entry.detail === null ? '' : harmless(JSON.stringify(entry.detail)),
          ]);
          terminal.print(table(['AT', 'WHO', 'WHAT', 'TARGET', 'DETAIL'], rows));
        },
      ),
    );
}
