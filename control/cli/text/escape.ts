// Text from outside on its way to a terminal: names, reasons, output of hooks, problem details. A control character in it
// could move the cursor, change the title or write the clipboard, so every one becomes visible text. Own colours are added after.

/** C0, DEL and C1 controls, and the marks that turn the direction of text or hide in it. */
const controls = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** One line of text that does nothing to a terminal but appear: control characters as `\x1b` or `\u202e`. */
export function visible(text: string): string {
  return text.replace(controls, escaped);
}

/** Several lines; only line breaks and tabs keep their meaning. */
export function visibleLines(text: string): string {
  return text.replace(controls, (character) => (character === '\n' || character === '\t' ? character : escaped(character)));
}

/** JSON, or YAML in double quotes, whose strings hold no control character as such: the same value, spelt with `\\u`. */
export function escapedJson(text: string): string {
  return text.replace(controls, (character) => (character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
