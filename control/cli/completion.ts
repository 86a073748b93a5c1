// `starling completion SHELL`: a script that completes commands and options, written from the very table of commands. Names of
// applications and environments are not completed.

import { Argument, type Command } from 'commander';
import type { World } from './world.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** Words that may follow `path`, such as `env create`. */
interface Place {
  readonly path: string;
  readonly words: readonly string[];
}

export function registerCompletion(program: Command, world: World): void {
  program
    .command('completion')
    .description('print a script that completes commands and options: source <(starling completion bash)')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: Shell) => world.stdout.write(scriptOf(shell, placesOf(program, ''))));
}

function placesOf(command: Command, path: string): readonly Place[] {
  const options = command.options.flatMap(({ long, hidden }) => (long === undefined || long === null || hidden ? [] : [long]));
  const words = [...command.commands.map((sub) => sub.name()), ...options, '--help'];
  return [{ path, words }, ...command.commands.flatMap((sub) => placesOf(sub, `${path} ${sub.name()}`.trim()))];
}

function scriptOf(shell: Shell, places: readonly Place[]): string {
  const globals = places[0]?.words.filter((word) => word.startsWith('--')) ?? [];
  switch (shell) {
    case 'bash':
      return bash(places, globals);
    case 'zsh':
      return `#compdef starling\nautoload -U +X bashcompinit && bashcompinit\n${bash(places, globals)}`;
    case 'fish':
      return places.map(({ path, words }) => `complete -c starling -f -n '${fishCondition(path)}' -a '${[...new Set([...words, ...globals])].join(' ')}'\n`).join('');
    default:
      return shell satisfies never;
  }
}

function fishCondition(path: string): string {
  return path === '' ? '__fish_use_subcommand' : path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
}

function bash(places: readonly Place[], globals: readonly string[]): string {
  const cases = places.map(({ path, words }) => `    '${path}') words='${[...new Set([...words, ...globals])].join(' ')}' ;;`);
  return `_starling() {
  local current path word words
  current="\${COMP_WORDS[COMP_CWORD]}"
  path=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
    *) words='${globals.join(' ')}' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _starling starling
`;
}
