// Going anywhere by a few letters: screens, pipelines, environments, deployments, machines, the way of a commit. Arrow keys choose, Enter goes,
// Escape leaves everything as it was.

import type { JSX } from 'preact';
import { useLocation } from 'preact-iso';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { after } from '../browser.ts';
import { useQuery } from '../query.ts';
import { isPartOfName, matching, placeOfTarget, placesOf, screens, traceable, type Place } from './places.ts';

/** Machines are asked for when somebody has stopped writing for as long. */
const settledMs = 150;
const targetsMax = 5;

export function Palette({ close }: { readonly close: () => void }): JSX.Element {
  const { route } = useLocation();
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState('');
  // The address of what arrow keys chose: it stays that one when others are found.
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const places = usePlaces(text);
  const at = Math.max(0, places.findIndex(({ address }) => address === chosen));
  const choose = (index: number): void => setChosen(places[index % Math.max(1, places.length)]?.address);
  // A dialog of the browser keeps the focus inside, and gives it back when it is closed.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const go = (place: Place | undefined): void => {
    if (place === undefined) return;
    dialog.current?.close();
    route(place.address);
  };
  const keys: Readonly<Record<string, () => void>> = {
    ArrowDown: () => choose(at + 1),
    ArrowUp: () => choose(at + places.length - 1),
    Enter: () => go(places[at]),
  };
  return (
    <dialog ref={dialog} class="palette" aria-label="go to" onClose={close} onClick={({ target, currentTarget }) => (target === currentTarget ? currentTarget.close() : undefined)}>
      <label>
        <span>Go to</span>
        <input
          type="text" role="combobox" autoComplete="off" spellcheck={false} maxLength={128} placeholder="a screen, pipeline, environment, machine, commit" value={text}
          aria-expanded={places.length > 0} aria-controls={`${id}-places`} aria-activedescendant={places.length === 0 ? undefined : `${id}-${at}`}
          onInput={({ currentTarget: { value } }) => {
            setText(value);
            setChosen(undefined);
          }}
          onKeyDown={(event) => {
            const act = keys[event.key];
            if (act === undefined) return;
            event.preventDefault();
            act();
          }}
        />
      </label>
      <ul id={`${id}-places`} role="listbox" aria-label="places">
        {places.map((place, index) => (
          <li key={place.address} id={`${id}-${index}`} role="option" aria-selected={index === at} onClick={() => go(place)}><small>{place.kind}</small> {place.name}</li>
        ))}
      </ul>
      {places.length === 0 && <p role="status">Nothing is called so.</p>}
    </dialog>
  );
}

function usePlaces(text: string): readonly Place[] {
  const pipelines = useQuery('listPipelines', { params: {}, query: { limit: 500 } }, { pace: 'asked' }).reply;
  const status = useQuery('getStatus', { params: {} }, { pace: 'asked' }).reply;
  const [settled, setSettled] = useState('');
  useEffect(() => after(settledMs, () => setSettled(text.trim().toLowerCase())), [text]);
  const targets = useQuery('listTargets', isPartOfName(settled) ? { params: {}, query: { name: settled, limit: targetsMax } } : undefined, { pace: 'asked' }).reply;
  const trace = traceable(text.trim());
  const known = matching([...screens, ...placesOf(pipelines?.items ?? [], status?.environments ?? [])], text);
  const machines = (targets?.items ?? []).map(({ name }) => placeOfTarget(name)).filter(({ name }) => name.includes(text.trim().toLowerCase()));
  // Machines last: they come late, and what somebody is about to press Enter on must not move.
  return [...known, ...(trace === undefined ? [] : [trace]), ...(text.trim() === '' ? [] : machines)];
}
