// What a list is narrowed down by. It stands in the address, so that what somebody found can be sent to a colleague; it takes effect when a field
// is left or Enter is pressed, since each is a question to the server.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

export interface FilterField {
  /** Of the query in the address. */
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  /** Where only some are possible: each with what it is called. The first is what holds when nothing is said. */
  readonly choices?: readonly (readonly [value: string, text: string])[];
  /** Texts that are offered while somebody writes. */
  readonly known?: readonly string[];
}

/** What the address says of some names: those that are there and not empty. */
export type Filter = Readonly<Record<string, string>>;

export function useFilter(names: readonly string[]): Filter {
  const { query } = useLocation();
  return Object.fromEntries(names.flatMap((name) => (query[name] === undefined || query[name] === '' ? [] : [[name, query[name]]])));
}

/** An address with a query of what is not empty. */
export function addressWith(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams(Object.entries(query).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])));
  return search.size === 0 ? path : `${path}?${search}`;
}

export function FilterForm({ what, fields }: { readonly what: string; readonly fields: readonly FilterField[] }): JSX.Element {
  const { path, query, route } = useLocation();
  const set = (name: string, value: string): void => route(addressWith(path, { ...query, [name]: value.trim() }), true);
  return (
    <form class="filter" role="search" aria-label={`narrow down ${what}`} onSubmit={(event) => event.preventDefault()}>
      {fields.map(({ name, label, hint = '', choices, known }) => (
        <label key={name}>
          <span>{label}</span>
          {choices === undefined ? (
            <Words hint={hint} said={query[name] ?? ''} list={known === undefined ? undefined : `known-${name}`} say={(value) => set(name, value)} />
          ) : (
            <select value={query[name] ?? ''} onChange={({ currentTarget: { value } }) => set(name, value)}>
              {choices.map(([value, text]) => <option key={value} value={value} selected={(query[name] ?? '') === value}>{text}</option>)}
            </select>
          )}
          {known !== undefined && <datalist id={`known-${name}`}>{known.map((one) => <option key={one} value={one} />)}</datalist>}
        </label>
      ))}
    </form>
  );
}

interface WordsProps {
  readonly hint: string;
  /** What the address says. */
  readonly said: string;
  readonly list: string | undefined;
  readonly say: (value: string) => void;
}

/** A field whose letters stay while somebody writes, though an answer comes meanwhile and the page is drawn anew. */
function Words({ hint, said, list, say }: WordsProps): JSX.Element {
  const [written, setWritten] = useState<string>();
  const leave = (): void => setWritten(undefined);
  return (
    <input type="text" autoComplete="off" spellcheck={false} maxLength={1024} placeholder={hint} value={written ?? said} list={list} onBlur={leave}
      onInput={({ currentTarget: { value } }) => setWritten(value)}
      onChange={({ currentTarget: { value } }) => (leave(), say(value))} />
  );
}
