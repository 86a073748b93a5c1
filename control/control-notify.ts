// Composes what tells people: the channels of the settings, the outbox beside the journal, and the loop between them. Part of the composition root.

import { join } from 'node:path';
import type { ControlConfig } from './config.ts';
import { createNotifier } from './notify/notifier.ts';
import type { Notifier, NotifierOptions } from './notify/notifier.ts';
import { openChannels } from './notify/open-channels.ts';
import { Outbox } from './notify/outbox.ts';

/** Opens it, and puts on `stack` how to close it. @throws {ControlError} CONFIG_INVALID, STORAGE_FAILED. */
export async function openNotifier(config: ControlConfig, options: Omit<NotifierOptions, 'outbox' | 'channels'>, stack: AsyncDisposableStack): Promise<Notifier> {
  const channels = await openChannels(config.channels, { org: config.org, now: () => options.clock.now() });
  const outbox = await Outbox.open(join(config.dataDir, 'notifications'));
  stack.defer(async () => await outbox.close());
  return createNotifier({ ...options, outbox, channels });
}
