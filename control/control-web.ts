// The user interface, made when somebody first opens it: most starts of a control plane are never looked at by a browser. Part of the
// composition root.

import { bundleWeb, iconFile, type WebBundle } from './bundle/bundle.ts';
import type { Clock } from './clock.ts';
import type { PagesOptions } from './http/pages.ts';
import type { Logger } from './log.ts';

/** What control/http/pages.ts serves. A bundle that could not be made is tried again by the next who asks. */
export function webOnDemand(log: Logger, clock: Clock): PagesOptions {
  let made: Promise<WebBundle> | undefined;
  const make = async (): Promise<WebBundle> => {
    const begun = clock.monotonic();
    try {
      const bundle = await bundleWeb();
      log.info({ ms: Math.round(clock.monotonic() - begun), files: bundle.assets.size }, 'the user interface is made');
      return bundle;
    } catch (error) {
      made = undefined;
      throw error;
    }
  };
  return { web: async () => await (made ??= make()), webIcon: iconFile };
}
