// What a tab is called: whoever has six of them open must tell them apart.

import { useEffect } from 'preact/hooks';

export function useTitle(text: string): void {
  useEffect(() => {
    document.title = `${text} · Starling`;
    return () => {
      document.title = 'Starling';
    };
  }, [text]);
}
