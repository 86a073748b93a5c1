// One thing that a person can do here: a button that opens a short form with why, the command that does the same, and, if it is refused,
// the words of the API. Nothing is done by the first click alone, and nothing twice: what is under way stays open until it is answered.

import type { JSX } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ClientError } from '../client.ts';
import { useUi } from '../ui.ts';
import { mayMoveFocus } from './focus.ts';
import { Cli, Trouble } from './small.tsx';

/** What is asked before it is done. */
export interface Field {
  readonly name: string;
  readonly label: string;
  readonly kind: 'text' | 'check';
  /** An empty text is refused before the API is asked. */
  readonly needed?: boolean;
  /** At first: the text, or `yes`. */
  readonly initial?: string;
  readonly hint?: string;
  /** What must be written, letter for letter, before the API is asked: for what cannot be taken back. */
  readonly mustBe?: string;
}

/** What was filled in by the name of its field; of a check `yes` or nothing. */
export type Filled = Readonly<Record<string, string>>;

export interface DeedProps {
  readonly label: string;
  readonly fields: readonly Field[];
  /** The same on the command line. */
  readonly command: (filled: Filled) => string;
  readonly act: (filled: Filled) => Promise<unknown>;
  /** What is said when it is done. */
  readonly done: string;
  readonly danger?: boolean;
}

/** Why somebody does it; others will read it. */
export const reasonNeeded: Field = { name: 'reason', label: 'Why? Others will read it', kind: 'text', needed: true };
export const reasonWelcome: Field = { name: 'reason', label: 'Why? (for the record)', kind: 'text' };

/** What cannot be taken back is done to what somebody names. */
export function nameAgain(name: string): Field {
  return { name: 'name', label: 'Its name, to be sure', kind: 'text', needed: true, mustBe: name };
}

/** A reason as the API takes it: left out when it is empty. */
export function because({ reason = '' }: Filled): { readonly reason?: string } {
  return reason.trim() === '' ? {} : { reason: reason.trim() };
}

export function Deed(props: DeedProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const whole = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const close = (): void => {
    setOpen(false);
    if (mayMoveFocus(whole.current)) opener.current?.focus();
  };
  return (
    <div class="deed" ref={whole}>
      <button ref={opener} type="button" class={props.danger === true ? 'danger' : ''} aria-expanded={open} aria-disabled={busy} onClick={() => (busy ? undefined : setOpen(!open))}>
        {props.label}
      </button>
      {open && <DeedForm {...props} busy={busy} setBusy={setBusy} close={close} />}
    </div>
  );
}

interface DeedFormProps extends DeedProps {
  /** Whether it was sent and is not answered yet. */
  readonly busy: boolean;
  readonly setBusy: (busy: boolean) => void;
  readonly close: () => void;
}

function DeedForm({ label, fields, command, act, done, danger, busy, setBusy, close }: DeedFormProps): JSX.Element {
  const ui = useUi();
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const [filled, setFilled] = useState<Filled>(() => Object.fromEntries(fields.map(({ name, initial = '' }) => [name, initial])));
  const [problem, setProblem] = useState<ClientError | undefined>(undefined);
  useLayoutEffect(() => form.current?.querySelector<HTMLElement>('input, button[type=submit]')?.focus(), []);
  const leave = (): void => (busy ? undefined : close());
  const submit = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await act(filled);
      ui.said.value = done;
      ui.live.refresh();
      close();
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      ref={form}
      class="deed-form"
      aria-label={label}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        leave();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {fields.map(({ name, label: text, kind, needed = false, hint, mustBe }) => (
        <label key={name} class={kind}>
          <span>{text}</span>
          {kind === 'check' ? (
            <input type="checkbox" checked={filled[name] === 'yes'} onChange={({ currentTarget: { checked } }) => setFilled((before) => ({ ...before, [name]: checked ? 'yes' : '' }))} />
          ) : (
            <input id={`${id}-${name}`} type="text" autoComplete="off" required={needed} maxLength={1024} value={filled[name] ?? ''} placeholder={hint ?? ''} onInput={({ currentTarget }) => {
              const { value } = currentTarget;
              currentTarget.setCustomValidity(mustBe === undefined || value === mustBe ? '' : `write ${mustBe}`);
              setFilled((before) => ({ ...before, [name]: value }));
            }} />
          )}
        </label>
      ))}
      <Cli command={command(filled)} />
      <Trouble problem={problem} />
      <p class="buttons">
        <button type="submit" class={danger === true ? 'danger' : 'main'} aria-disabled={busy}>{busy ? 'asking …' : label}</button>
        <button type="button" class="quiet" aria-disabled={busy} onClick={leave}>Leave it</button>
      </p>
    </form>
  );
}
