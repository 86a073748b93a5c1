// `starling push` on the command line: arguments, bars, and what is printed at the end.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { createProgress } from '../../live.ts';
import { push, type PushResult } from '../../push/push.ts';
import { bytesText, countText, durationText, shareText } from '../../text/text.ts';
import { createTreeMemory } from '../../push/tree-memory.ts';
import type { World } from '../../world.ts';

interface PushFlags {
  readonly app: string;
  readonly alias?: string;
  readonly dryRun?: boolean;
  readonly resend?: boolean;
}

export function registerPush(program: Command, world: World): void {
  program
    .command('push')
    .description('publish a directory as a revision of an application')
    .argument('<dir>', 'the directory; a deploy.yaml in it says how it is installed, run and checked')
    .requiredOption('-a, --app <name>', 'the application')
    .option('--alias <text>', 'another name for the revision, such as a tag or a commit')
    .option('-n, --dry-run', 'say what would be sent, and publish nothing')
    .option('--resend', 'ask the proxy what it lacks even when the control plane has this very revision: after a store was lost')
    .action(async (directory: string, flags: PushFlags, command: Command) => {
      const { terminal, api } = contextOf(world, command);
      const reading = createProgress(terminal, world.clock, 'Reading  ');
      const sending = createProgress(terminal, world.clock, 'Uploading');
      const result = await push(
        await api(),
        {
          directory: resolve(world.directory, directory),
          app: flags.app,
          ...(flags.alias === undefined ? {} : { alias: flags.alias }),
          dryRun: flags.dryRun ?? false,
          resend: flags.resend ?? false,
          memory: createTreeMemory(world),
          onRead: ({ bytes }) => reading.update(bytes, undefined),
          onSend: (sent, missing) => {
            reading.stop();
            sending.update(sent, missing);
          },
          onRetry: (reason) => {
            sending.stop();
            terminal.warn(`${visible(reason)}; trying again`);
          },
          onWarning: (text) => terminal.warn(text),
        },
        world,
      ).finally(() => {
        reading.stop();
        sending.stop();
      });
      terminal.object(result, { text: describePush, name: ({ app, number, revision }) => (number === undefined ? revision : `${app}@${number}`) });
    });
}

/** A push in a few lines. */
export function describePush(result: PushResult): string {
  const { app, number, cid, entries, treeBytes, uploadedBytes, missingBytes, missingChunks, reusedBytes, seconds } = result;
  const whole = missingBytes + reusedBytes;
  const tree = `${countText(entries, 'path')}, ${bytesText(treeBytes)}`;
  if (result.dryRun) {
    return [
      `nothing was published; ${app} would get revision ${cid}`,
      `  tree      ${tree}`,
      `  to send   ${bytesText(missingBytes)} in ${countText(missingChunks, 'chunk')}, before compression`,
      `  reused    ${bytesText(reusedBytes)} (${shareText(reusedBytes, whole)})`,
    ].join('\n');
  }
  return [
    `${app}@${number ?? ''}${result.created === false ? ' (this very revision was there already)' : ''}`,
    `  revision  ${cid}`,
    ...(result.alias === undefined ? [] : [`  alias     ${visible(result.alias)}`]),
    `  tree      ${tree}`,
    `  uploaded  ${bytesText(uploadedBytes)}`,
    `  reused    ${bytesText(reusedBytes)} (${shareText(reusedBytes, whole)})`,
    `  took      ${durationText(seconds * 1000)}`,
  ].join('\n');
}
