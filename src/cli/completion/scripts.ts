export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What to source in a shell: it gives the words typed so far to `rocksy __complete` and offers what comes back. */
export function scriptFor(shell: Shell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: { readonly [S in Shell]: string } = {
  // COMP_WORDBREAKS holds ':' and '=': without them put together again, `unix:/run` would be three words.
  bash: `_rocksy() {
  local cur words cword line
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n := cur words cword
  else
    words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=\${COMP_WORDS[COMP_CWORD]}
  fi
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <("\${words[0]}" __complete -- "\${words[@]:1:cword}" 2>/dev/null)
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -o default -F _rocksy rocksy
`,
  zsh: `#compdef rocksy
_rocksy() {
  local -a found
  found=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=(\${found:#})
  if (( $#found )); then compadd -a found; else _files; fi
}
if [ "\${funcstack[1]}" = _rocksy ]; then _rocksy "$@"; else compdef _rocksy rocksy; fi
`,
  fish: `function __rocksy_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..] 2>/dev/null
end
complete -c rocksy -a '(__rocksy_complete)'
`,
};
