// Labels as people write them. Pure.

type Labels = Readonly<Record<string, string>>;

/** `env=prod, zone=a`, by key. */
export function labelsText(labels: Labels): string {
  return Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`).join(', ');
}

/** Labels with what was written done to them, as the command line takes it: `zone=b rack-` sets one and takes one away. A word that is neither is handed back. */
export function relabelled(labels: Labels, text: string): { readonly kind: 'labels'; readonly labels: Record<string, string> } | { readonly kind: 'wrong'; readonly word: string } {
  const next: Record<string, string> = { ...labels };
  for (const word of text.split(/[\s,]+/).filter((one) => one !== '')) {
    const at = word.indexOf('=');
    if (at > 0) next[word.slice(0, at)] = word.slice(at + 1);
    else if (at < 0 && word.length > 1 && word.endsWith('-')) delete next[word.slice(0, -1)];
    else return { kind: 'wrong', word };
  }
  return { kind: 'labels', labels: next };
}
