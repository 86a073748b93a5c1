// Dark or light: as the system says, until somebody here says otherwise.

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { kept } from '../browser.ts';
import { Icon } from './icons.tsx';

const themeKept = kept('device', 'starling.theme');
const order = ['system', 'dark', 'light'] as const;
type ThemeName = (typeof order)[number];

export function Theme(): JSX.Element {
  const theme = useMemo(() => {
    const chosen = signal<ThemeName>(order.find((one) => one === themeKept.get()) ?? 'system');
    show(chosen.value);
    return chosen;
  }, []);
  const next = (): void => {
    theme.value = order[(order.indexOf(theme.value) + 1) % order.length] ?? 'system';
    themeKept.set(theme.value);
    show(theme.value);
  };
  return (
    <button type="button" class="quiet" aria-label={`colours: ${theme.value}; change`} onClick={next}>
      <Icon name="sun" /> {theme.value}
    </button>
  );
}

function show(theme: ThemeName): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
