// The command line as a whole: its commands, its global options, and what becomes of whatever they throw. What each command does is in
// the files beside this one; reading the process is control/main.ts's.

import { Command, CommanderError } from 'commander';
import { registerCompletion } from './completion.ts';
import { registerApproval, registerApprove, registerCompliance, registerOverride } from './commands/approval.ts';
import { registerArtifact } from './commands/artifact.ts';
import { registerAudit } from './commands/audit.ts';
import { registerChanges } from './commands/changes.ts';
import { registerDecisions } from './commands/decisions.ts';
import { registerTrace } from './commands/trace.ts';
import { registerBuild } from './commands/build.ts';
import { registerApp, registerEnvironment } from './commands/catalog.ts';
import { registerApply, registerDiff, registerValidate } from './commands/apply.ts';
import { registerConfig } from './commands/config.ts';
import { registerControl } from './commands/control.ts';
import { registerDeployment } from './commands/deployment.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerEvents } from './commands/events.ts';
import { registerExplain } from './commands/explain.ts';
import { registerNotify } from './commands/notify.ts';
import { registerPipeline } from './commands/pipeline.ts';
import { registerPromotion } from './commands/promotion.ts';
import { registerPush } from './commands/push.ts';
import { registerRevision } from './commands/revision.ts';
import { registerFreeze, registerHold, registerLock, registerPin } from './commands/restraints.ts';
import { registerPromote, registerRollback } from './commands/rollout.ts';
import { registerStatus, registerTargets } from './commands/status.ts';
import { registerSwarm } from './commands/swarm.ts';
import { registerTarget } from './commands/target.ts';
import { registerContext, registerLogin, registerToken } from './commands/token.ts';
import { registerUi } from './commands/ui.ts';
import { registerAutomation, registerEdge, registerWindow } from './commands/windows.ts';
import { registerWorker } from './commands/worker.ts';
import { registerWorkflow } from './commands/workflow.ts';
import { registerDemo } from './demo/command.ts';
import { exitCodeOf, exitMeanings, messageOf, type ExitCode } from './exit.ts';
import { errorText, formats } from './text/terminal.ts';
import type { World } from './world.ts';

/** What holds things back, and what people say to them. */
const governance = [
  registerApproval, registerApprove, registerOverride, registerCompliance, registerLock, registerHold, registerPin, registerFreeze, registerWindow, registerAutomation, registerEdge, registerRevision,
] as const;

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
  registerControl(program, world);
  registerConfig(program, world);
  registerDoctor(program, world, setExit);
  registerUi(program, world);
  registerPush(program, world);
  registerPromote(program, world, setExit);
  registerPromotion(program, world);
  registerRollback(program, world);
  registerStatus(program, world);
  registerTargets(program, world);
  registerTarget(program, world);
  registerDeployment(program, world);
  registerExplain(program, world, setExit);
  for (const register of governance) register(program, world);
  registerArtifact(program, world, setExit);
  registerSwarm(program, world);
  registerWorkflow(program, world, setExit);
  registerBuild(program, world, setExit);
  registerWorker(program, world);
  registerEvents(program, world);
  registerNotify(program, world);
  registerAudit(program, world);
  registerChanges(program, world);
  registerTrace(program, world);
  registerDecisions(program, world, setExit);
  registerApp(program, world);
  registerEnvironment(program, world);
  registerPipeline(program, world);
  registerApply(program, world);
  registerValidate(program, world);
  registerDiff(program, world, setExit);
  registerToken(program, world);
  registerLogin(program, world);
  registerContext(program, world);
  registerDemo(program, world);
  registerCompletion(program, world);
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
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    // Whatever broke while it was interrupted broke because of that.
    const shown = world.signal.aborted ? world.signal.reason : error;
    report(world, shown, program.opts<{ debug?: boolean }>().debug ?? false);
    return exitCodeOf(shown);
  }
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
