// Signing in: the token of a person is pasted once for each tab, tried, and kept for as long as the tab is open.

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { ClientError, createClient } from '../client.ts';
import { Trouble } from '../parts/small.tsx';
import { useUi } from '../ui.ts';

export function LoginPage(): JSX.Element {
  const ui = useUi();
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<ClientError | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const signIn = async (): Promise<void> => {
    const token = field.current?.value.trim() ?? '';
    setBusy(true);
    try {
      // By a client of its own: what is refused here signs nobody out.
      await createClient({ token: () => token, refused: () => undefined }).call('getStatus', { params: {} });
      ui.signIn(token);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <main id="main" class="login">
      <h1>Starling</h1>
      {ui.refusal.value !== undefined && <p class="trouble" role="alert">You were signed out: {ui.refusal.value}</p>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void signIn();
        }}
      >
        <label>
          <span>Your token</span>
          <input ref={field} type="password" name="token" autoComplete="current-password" required maxLength={4096} placeholder="sta_api_…" />
        </label>
        <button type="submit" class="main" disabled={busy}>{busy ? 'asking …' : 'Sign in'}</button>
      </form>
      <Trouble problem={problem} />
      <p>
        The first one is in the file that <code>starling control</code> names when it starts; <code>starling ui</code> prints which one your command line uses. An
        administrator makes one for each person: <code>starling token create --api --name quinn --scopes 'read:*,approve:*'</code>
      </p>
      <p>It is kept for this tab only.</p>
    </main>
  );
}
