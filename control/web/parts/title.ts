// What a tab is called: whoever has six of them open must tell them apart.

import { useLayoutEffect } from 'preact/hooks';

export function useTitle(text: string): void {
  useLayoutEffect(() => {
    document.title = `${text} · Starling`;
    return () => {
      document.title = 'Starling';
    };
  }, [text]);
}
