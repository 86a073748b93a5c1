// `starling ui`: where the user interface is, and how to get in. It opens nothing: on the machine where this runs there may be no browser.

import type { Command } from 'commander';
import { createApi } from '../../api.ts';
import { contextOf, endpointOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { World } from '../../world.ts';

/** Where to look, and what to sign in with. The token itself is never part of the address, nor printed. */
interface Entrance {
  readonly url: string;
  readonly org: string;
  /** Where this command line has its token from. */
  readonly tokenFrom: string;
}

export function registerUi(program: Command, world: World): void {
  program
    .command('ui')
    .description('where the user interface is, and which token signs in')
    .action(async (_flags: object, command: Command) => {
      const { terminal } = contextOf(world, command);
      const endpoint = await endpointOf(world, command);
      const { org, publicUrl } = await createApi(endpoint, world).call('getStatus', { params: {} });
      const entrance: Entrance = { url: `${endpoint.url}/`, org, tokenFrom: endpoint.tokenFrom };
      const elsewhere = publicUrl === endpoint.url ? '' : `\nothers open ${publicUrl}/`;
      terminal.object(entrance, { text: (one) => visible(`open ${one.url} in a browser and sign in with the token of ${one.tokenFrom}`) + visible(elsewhere), name: ({ url }) => url });
    });
}
