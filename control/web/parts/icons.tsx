// Small pictures, drawn with strokes in the colour of the text around them. Each stands beside a word and says nothing that the word
// does not.

import type { JSX } from 'preact';

const paths = {
  lock: 'M4 7h8v6H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2',
  window: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 4.5V8l2.5 1.5',
  pin: 'M6 2h4l-.5 4 2 2.5h-7l2-2.5zM8 8.5V14',
  freeze: 'M8 2v12M3 5l10 6M13 5L3 11',
  hand: 'M5 8V4.5a1 1 0 0 1 2 0V7m0 0V3a1 1 0 0 1 2 0v4m0 0V4a1 1 0 0 1 2 0v5c0 3-1.500 5-4 5s-3.500-2-4.500-4.500A1 1 0 0 1 5 8',
  auto: 'M3 8a5 5 0 0 1 8.500-3.500L13 6M13 3v3h-3M13 8a5 5 0 0 1-8.500 3.500L3 10M3 13v-3h3',
  stop: 'M4 4l8 8M12 4l-8 8',
  check: 'M3 8.500l3.500 3.500L13 5',
  wait: 'M4 2h8M4 14h8M5 2v2.500L11 11.500V14M11 2v2.500L5 11.500V14',
  play: 'M5 3l8 5-8 5z',
  alert: 'M8 2l6.500 11.500h-13zM8 6.500v3M8 11.500v.5',
  off: 'M8 2v6M4.500 4.500a5 5 0 1 0 7 0',
  copy: 'M6 6h7v7H6zM3 10V3h7',
  sun: 'M8 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
} as const;

export type IconName = keyof typeof paths;

/** Decoration: whoever does not see it loses nothing. */
export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
