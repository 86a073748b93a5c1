// Parts that every screen uses: a state as icon and word, a problem as the API says it, what holds something, a command to copy.

import type { JSX, ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Blocker } from '../../../proto/api/schema.ts';
import { after } from '../browser.ts';
import type { Standing, Tone } from '../attention.ts';
import type { ClientError } from '../client.ts';
import { useUi } from '../ui.ts';
import { actorText, agoText, blockerName, timeText, untilText } from '../words.ts';
import { Icon, type IconName } from './icons.tsx';

const toneIcons: Readonly<Record<Tone, IconName>> = { bad: 'alert', blocked: 'stop', waiting: 'wait', busy: 'play', well: 'check', off: 'off' };

/** A state: icon, word and colour, in this order of trust. */
export function Mark({ tone, text }: Standing): JSX.Element {
  return (
    <span class={`mark ${tone}`}>
      <Icon name={toneIcons[tone]} />
      {text}
    </span>
  );
}

/** What was refused, or why there is no newer answer. */
export function Trouble({ problem }: { readonly problem: ClientError | undefined }): JSX.Element | null {
  if (problem === undefined) return null;
  return (
    <div class="trouble" role="alert">
      <p>
        <Icon name="alert" /> {problem.message} <small>({problem.code})</small>
      </p>
      {problem.details.length > 0 && <ul>{problem.details.map((one) => <li key={one}>{one}</li>)}</ul>}
      <Blockers blockers={problem.blockers} />
    </div>
  );
}

/** What holds something: why, until when, and who can act. */
export function Blockers({ blockers }: { readonly blockers: readonly Blocker[] }): JSX.Element | null {
  const { now } = useUi();
  if (blockers.length === 0) return null;
  return (
    <ul class="blockers">
      {blockers.map((blocker) => (
        <li key={`${blocker.type} ${blocker.ref ?? ''}`}>
          <strong>{blockerName(blocker)}</strong> {blocker.reason}
          <small>
            {' '}since {timeText(blocker.since, now())}
            {blocker.until !== undefined && `; ends ${untilText(blocker.until, now())}`}
            {blocker.actors !== undefined && blocker.actors.length > 0 && `; can be ended by ${blocker.actors.map(actorText).join(', ')}`}
          </small>
        </li>
      ))}
    </ul>
  );
}

/** A moment of the past, with the time of day for those who need it exactly. */
export function Since({ at }: { readonly at: number }): JSX.Element {
  const { now } = useUi();
  return <time dateTime={new Date(at).toISOString()} title={new Date(at).toISOString()}>{timeText(at, now())}, {agoText(at, now())}</time>;
}

const copiedMs = 2_000;

/** The command that does the same, to be copied: what is done here today is in a script tomorrow. */
export function Cli({ command, what = 'command' }: { readonly command: string; readonly what?: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const ui = useUi();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(command);
      ui.said.value = `the ${what} is copied`;
      setCopied(true);
      after(copiedMs, () => setCopied(false));
    } catch {
      ui.said.value = 'this browser does not let a page copy here: select the text and copy it by hand';
    }
  };
  return (
    <div class="cli">
      <code>{command}</code>
      <button type="button" class="quiet" aria-label={`copy the ${what}: ${command}`} onClick={() => void copy()}>
        <Icon name="copy" /> {copied ? 'copied' : 'copy'}
      </button>
    </div>
  );
}

/** Before the first answer. */
export function Loading({ what }: { readonly what: string }): JSX.Element {
  return <p class="loading" role="status">asking for {what} …</p>;
}

/** A name and what belongs to it, as a row of a description list. */
export function Row({ name, children }: { readonly name: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class="row">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
