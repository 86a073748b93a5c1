// The command line as a whole: its commands, its global options, and what becomes of whatever they throw. What each command does is in
// commands/, in a folder for each heading of `--help`; reading the process is control/main.ts's.

import { Command, CommanderError } from 'commander';
import { registerCompletion } from './completion.ts';
import { registerChanges } from './commands/see/changes.ts';
import { registerDoctor } from './commands/see/doctor.ts';
import { registerEvents } from './commands/see/events.ts';
import { registerExplain } from './commands/see/explain.ts';
import { registerStatus, registerTargets } from './commands/see/status.ts';
import { registerSwarm } from './commands/see/swarm.ts';
import { registerTarget } from './commands/see/target.ts';
import { registerTrace } from './commands/see/trace.ts';
import { registerUi } from './commands/see/ui.ts';
import { registerArtifact } from './commands/release/artifact.ts';
import { registerDeployment } from './commands/release/deployment.ts';
import { registerPromotion } from './commands/release/promotion.ts';
import { registerPush } from './commands/release/push.ts';
import { registerRevision } from './commands/release/revision.ts';
import { registerPromote, registerRollback } from './commands/release/rollout.ts';
import { registerApproval, registerApprove, registerCompliance, registerOverride } from './commands/hold/approval.ts';
import { registerFreeze, registerHold, registerLock, registerPin } from './commands/hold/restraints.ts';
import { registerAutomation, registerEdge, registerWindow } from './commands/hold/windows.ts';
import { registerApply, registerDiff, registerValidate } from './commands/arrange/apply.ts';
import { registerBuild } from './commands/arrange/build.ts';
import { registerApp, registerEnvironment } from './commands/arrange/catalog.ts';
import { registerNotify } from './commands/arrange/notify.ts';
import { registerPipeline } from './commands/arrange/pipeline.ts';
import { registerWorkflow } from './commands/arrange/workflow.ts';
import { registerAudit } from './commands/account/audit.ts';
import { registerDecisions } from './commands/account/decisions.ts';
import { registerConfig } from './commands/run/config.ts';
import { registerControl } from './commands/run/control.ts';
import { registerContext, registerLogin, registerToken } from './commands/run/token.ts';
import { registerWorker } from './commands/run/worker.ts';
import { registerDemo } from './demo/command.ts';
import { exitCodeOf, exitMeanings, messageOf, type ExitCode } from './exit.ts';
import { errorText, formats } from './text/terminal.ts';
import type { World } from './world.ts';

type Register = (program: Command, world: World, setExit: (code: ExitCode) => void) => void;

/** Every command, under the heading that `--help` gives it: what is looked for first comes first. */
const groups: readonly (readonly [heading: string, commands: readonly Register[]])[] = [
  ['See:', [registerStatus, registerExplain, registerTargets, registerTarget, registerSwarm, registerChanges, registerTrace, registerEvents, registerDoctor, registerUi]],
  ['Release:', [registerPush, registerPromote, registerPromotion, registerRollback, registerDeployment, registerRevision, registerArtifact]],
  ['Let go, or hold:', [registerApproval, registerApprove, registerHold, registerLock, registerPin, registerFreeze, registerWindow, registerAutomation, registerEdge, registerOverride, registerCompliance]],
  ['Arrange:', [registerApp, registerEnvironment, registerPipeline, registerApply, registerValidate, registerDiff, registerWorkflow, registerBuild, registerNotify]],
  ['Account for it:', [registerAudit, registerDecisions]],
  ['Run, and get in:', [registerControl, registerConfig, registerWorker, registerDemo, registerToken, registerLogin, registerContext, registerCompletion]],
];

/** Every command with its options; `setExit` is for those that end well with another code than 0. */
export function createProgram(world: World, setExit: (code: ExitCode) => void): Command {
  const program = new Command('starling')
    .description('Continuous deployment whose targets feed each other.')
    .version(world.version)
    .option('-o, --output <format>', `how data is printed: ${formats.join(', ')}`, 'table')
    .option('-q, --quiet', 'no messages, only data and errors')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .option('--debug', 'with a failure, where in the program it happened')
    .option('--url <url>', 'the control plane (STARLING_URL)')
    .option('--token-file <file>', 'file with the token (STARLING_TOKEN_FILE; STARLING_TOKEN is the token itself)')
    .option('--context <name>', 'what `starling login` remembered (STARLING_CONTEXT)')
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(world.stdout.columns, 120), minWidthToWrap: 20 })
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'starling: ').replace("unknown option '--json'", "unknown option '--json'; -o json prints JSON")),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', () => exitCodesHelp())
    .exitOverride();
  for (const [heading, commands] of groups) {
    program.commandsGroup(heading);
    for (const register of commands) register(program, world, setExit);
  }
  program.helpCommand('help [command]', 'how a command is called');
  return program;
}

/** Runs one command to its end. Never throws: what was thrown is on stderr, and its meaning is the exit code. */
export async function runCommandLine(world: World): Promise<ExitCode> {
  let exit: ExitCode = 0;
  const program = createProgram(world, (code) => (exit = code));
  try {
    await program.parseAsync([...world.arguments], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (!error.code.startsWith('commander.help')) world.stderr.write(usageOf(program, world.arguments));
      return 2;
    }
    // Whatever broke while it was interrupted broke because of that.
    const shown = world.signal.aborted ? world.signal.reason : error;
    report(world, shown, program.opts<{ debug?: boolean }>().debug ?? false);
    return exitCodeOf(shown);
  }
}

/** How the command that was meant is called, for whoever called it otherwise. */
function usageOf(program: Command, words: readonly string[]): string {
  let meant = program;
  for (const word of words) meant = meant.commands.find((one) => one.name() === word) ?? meant;
  if (meant === program) return '`starling --help` lists the commands\n';
  const usage = meant.createHelp().commandUsage(meant);
  return `usage: ${usage}; \`${usage.replace(/ [[<(].*$/, '')} --help\` says more\n`;
}

function report({ stderr }: World, error: unknown, debug: boolean): void {
  const message = messageOf(error);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (message !== undefined) stderr.write(`starling: ${errorText(message)}\n`);
  else stderr.write(`starling: an error of this program, please report it: ${errorText(stack)}\n`);
  if (!debug || !(error instanceof Error)) return;
  if (message !== undefined) stderr.write(`${errorText(stack)}\n`);
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) stderr.write(`caused by ${errorText(cause.stack ?? cause.message)}\n`);
}

function exitCodesHelp(): string {
  const lines = Object.entries(exitMeanings).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`);
  return `\nExit codes:\n${lines.join('\n')}\n`;
}
