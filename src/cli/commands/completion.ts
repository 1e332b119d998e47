import { Argument, type Command } from 'commander';
import { SHELLS, type Shell, scriptFor } from '../completion/index.ts';
import { type Context, subcommand, withContext } from '../context.ts';

export function completion(): Command {
  return subcommand('completion', 'Print the completion for a shell', [
    'source <(rocksy completion bash)       # in ~/.bashrc',
    'source <(rocksy completion zsh)        # in ~/.zshrc, after compinit',
    'rocksy completion fish > ~/.config/fish/completions/rocksy.fish',
  ])
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action(
      withContext(async ({ terminal, json }: Context, shell: Shell) => {
        const script = scriptFor(shell);
        if (json) terminal.json({ shell, script });
        else await terminal.pass(script);
      }),
    );
}
