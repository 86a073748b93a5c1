// What every part of the interface may use, handed down the tree: who is signed in, the client, and how fresh things are.

import { signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { kept, now } from './browser.ts';
import { createClient, type Client, type ClientError } from './client.ts';
import { createLive, type Live } from './live.ts';

export interface Ui {
  readonly client: Client;
  readonly live: Live;
  /** Undefined: nobody is signed in. */
  readonly token: ReadonlySignal<string | undefined>;
  /** Why somebody was signed out. */
  readonly refusal: ReadonlySignal<string | undefined>;
  /** What was last done, for those who do not see it. */
  readonly said: Signal<string>;
  /** By the control plane's clock. */
  readonly now: () => number;
  signIn(token: string): void;
  signOut(why?: string): void;
}

/**
 * The token is kept for this tab alone, and never in an address: a cookie would go with every request that any page causes, and the
 * development set-up has no TLS that would let a browser guard one.
 */
const tokenKept = kept('session', 'starling.token');

export function createUi(): Ui {
  const token = signal(tokenKept.get());
  const refusal = signal<string | undefined>(undefined);
  const signOut = (why?: string): void => {
    tokenKept.set(undefined);
    refusal.value = why;
    token.value = undefined;
  };
  const client = createClient({ token: () => token.value, refused: (problem: ClientError) => signOut(problem.message) });
  return {
    client,
    live: createLive(() => token.value),
    token,
    refusal,
    said: signal(''),
    now: () => now() + client.skew(),
    signIn: (text) => {
      tokenKept.set(text);
      refusal.value = undefined;
      token.value = text;
    },
    signOut,
  };
}

const UiContext = createContext<Ui | undefined>(undefined);
export const UiProvider = UiContext.Provider;

/** @throws {Error} outside of the application: a mistake of this program. */
export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (ui === undefined) throw new Error('there is no interface around this part');
  return ui;
}
