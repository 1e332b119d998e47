import { type Command, Option } from 'commander';
import { type Context, subcommand, withContext } from '../context.ts';
import {
  daemonChecks,
  type Finding,
  forkChecks,
  interpreterChecks,
  machineChecks,
  phpChecks,
  type Verdict,
} from '../doctor/index.ts';
import { EXIT } from '../exit.ts';
import { harmless, type Style } from '../terminal.ts';

const STYLES: { readonly [V in Verdict]: Style } = { ok: 'green', warn: 'yellow', missing: 'red' };
const VERDICT_WIDTH = 'missing'.length;

export function doctor(): Command {
  return subcommand('doctor', 'Check what this machine has and lacks for Rocksy', [
    'rocksy doctor',
    'rocksy doctor --state /srv/rocksy',
    'rocksy doctor --fork --node /opt/node-26/bin/node',
  ])
    .option('--state <folder>', "the daemon's state directory (default: /var/lib/rocksy, else ./var)")
    .option('--fork', 'try instead what jobs do in forks of a live Node, as node pools make them (a minute)')
    .addOption(
      new Option('--node <path>', 'with --fork: another Node than the one Rocksy brings').implies({
        fork: true,
      }),
    )
    .addHelpText('after', '\nExit code: 1 when something that is needed is missing; warnings are none.')
    .action(withContext(act));
}

async function act(
  { client, terminal, json }: Context,
  { state, fork, node }: { readonly state?: string; readonly fork?: true; readonly node?: string },
): Promise<void> {
  const findings: readonly Finding[] =
    fork === true
      ? await forkChecks(node)
      : [
          ...machineChecks(state),
          ...phpChecks(),
          ...(await interpreterChecks(client)),
          ...(await daemonChecks(client)),
        ];
  if (json) terminal.json(findings);
  else {
    for (const { verdict, name, detail, remedy } of findings) {
      terminal.print(
        `${terminal.paint(STYLES[verdict], verdict.padEnd(VERDICT_WIDTH))}   ${name}: ${harmless(detail)}`,
      );
      if (remedy !== undefined)
        terminal.print(`${' '.repeat(VERDICT_WIDTH)}   ${terminal.paint('dim', '→')} ${remedy}`);
    }
  }
  if (findings.some(({ verdict }) => verdict === 'missing')) process.exitCode = EXIT.error;
}
