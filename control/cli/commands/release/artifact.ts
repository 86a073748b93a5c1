// `starling artifact`: whether a directory is what a revision was made of, and who has its content. Nothing is sent or fetched.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Location } from '../../../../proto/api/swarm.ts';
import { createRevision, ingest } from '../../../../daemon/content/ingest/ingest.ts';
import { listAll } from '../../api.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import { parseRevision } from '../../text/governance.ts';
import { readSpec } from '../../push/push.ts';
import type { World } from '../../world.ts';

export function registerArtifact(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  const artifact = program.command('artifact').description('the content of revisions: whether a directory is that, and who has it');
  artifact
    .command('verify')
    .description('read a directory as a push would, and say whether it makes that very revision; ends with 1 when it does not')
    .argument('<app@revision>', 'such as web@41')
    .argument('<dir>', 'the directory')
    .action(async (text: string, dir: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const params = parseRevision(text);
      const client = await api();
      const [{ revision, number, bytes }, { deploySpec }] = [await client.call('getRevision', { params }), await client.call('getApp', { params: { app: params.app } })];
      const directory = resolve(world.directory, dir);
      const spec = await readSpec(directory, (warning) => terminal.say(visible(warning)), deploySpec === undefined ? undefined : { path: deploySpec, app: params.app });
      const ingested = await ingest(directory, { signal: world.signal });
      const made = createRevision(params.app, ingested, spec).digest;
      const same = made === revision;
      terminal.object(
        { app: params.app, number, revision, made, same, bytes, madeBytes: ingested.totals.bytes },
        {
          text: (one) => visible(same ? `${directory} is ${one.app}@${one.number}, byte for byte: ${one.revision}` : `${directory} is not ${one.app}@${one.number}: it makes ${one.made} (${one.madeBytes} bytes), not ${one.revision} (${one.bytes} bytes)`),
          name: ({ made: digest }) => digest,
        },
      );
      if (!same) setExit(1);
    });
  artifact
    .command('locate')
    .description('the machines that have the content of a revision')
    .argument('<app@revision>', 'such as web@41 or web@latest')
    .action(async (text: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const params = parseRevision(text);
      const found = await listAll(async (query) => await client.call('listLocations', { params, query }));
      terminal.list(found, {
        name: ({ name }: Location) => name,
        empty: `nobody is known to have ${text}: no seed has joined, and no target was given it`,
        columns: [
          { title: 'MEMBER', cell: ({ name }) => name },
          { title: 'ROLE', cell: ({ role }) => role },
          { title: 'ZONE', cell: ({ zone }) => zone },
          { title: 'HAS IT', cell: ({ has }) => has },
          { title: 'STATE', cell: ({ connectivity }) => connectivity },
        ],
      });
    });
}
