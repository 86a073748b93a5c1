// A panel beside the picture: what was clicked, in full. It takes the focus when it opens, Escape closes it, and the focus goes back.

import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { mayMoveFocus } from '../parts/focus.ts';

export function Panel({ title, close, children }: { readonly title: string; readonly close: () => void; readonly children: ComponentChildren }): JSX.Element {
  const whole = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  // At once, not after the next frame: a key that is struck in between would go nowhere.
  useLayoutEffect(() => {
    const opener = document.activeElement;
    const { current } = whole;
    heading.current?.focus();
    // Whoever closes it goes on where they were, and whoever has gone on already stays there.
    return () => (opener instanceof HTMLElement && opener.isConnected && mayMoveFocus(current) ? opener.focus() : undefined);
  }, [title]);
  return (
    <section class="panel" ref={whole} aria-label={title} onKeyDown={({ key }) => (key === 'Escape' ? close() : undefined)}>
      <h2 ref={heading} tabIndex={-1}>{title}</h2>
      <button type="button" class="quiet close" onClick={close}>Close</button>
      {children}
    </section>
  );
}
