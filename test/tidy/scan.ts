// Reads TypeScript as text: blanks comments and the contents of strings, and finds the imports. TypeScript 7 has no
// programming interface to ask, and a whole parser would be a package with one use; this knows just enough syntax to
// tell code from text. It does not resolve imports or decide anything: that is check.ts.

/** One import, export-from or dynamic import with a literal specifier. */
export interface Import {
  readonly specifier: string;
  /** `import type` or `export type`, which leave nothing behind when types are stripped. */
  readonly typeOnly: boolean;
  /** Where it begins in the text, in UTF-16 units. */
  readonly offset: number;
}

/** Words after which a slash begins a regular expression, where after any other word it divides. */
const wordsBeforeRegExp = /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield|instanceof)$/;

/**
 * The text with comments and the contents of strings, templates and regular expressions replaced by spaces; newlines,
 * quotes and the code inside `${}` stay, so that every offset and line is that of the original.
 */
export function blank(text: string): string {
  const out = text.split('');
  const hide = (from: number, to: number): void => {
    for (let i = from; i < to; i += 1) if (out[i] !== '\n') out[i] = ' ';
  };
  // Depth of open braces for each `${` that is still open, innermost last.
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  if (text.startsWith('#!')) {
    at = endOfLine(text, 0);
    hide(0, at);
  }
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const one = text.charAt(at);
    let end = at + 1;
    if (two === '//') {
      end = endOfLine(text, at);
      hide(at, end);
    } else if (two === '/*') {
      end = after(text, '*/', at + 2);
      hide(at, end);
    } else if (one === "'" || one === '"') {
      end = endOfQuoted(text, at, one);
      hide(at + 1, end - 1);
    } else if (one === '`' || (one === '}' && templates.at(-1) === depth)) {
      if (one === '}') templates.pop();
      end = endOfTemplatePart(text, at + 1);
      const opens = text.startsWith('${', end - 2);
      hide(at + 1, opens ? end - 2 : end - 1);
      if (opens) templates.push(depth);
    } else if (one === '/' && beginsRegExp(out, at)) {
      end = endOfRegExp(text, at);
      hide(at + 1, end - 1);
    } else if (one === '{') {
      depth += 1;
    } else if (one === '}') {
      depth -= 1;
    }
    at = end;
  }
  return out.join('');
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}

function after(text: string, mark: string, from: number): number {
  const end = text.indexOf(mark, from);
  return end === -1 ? text.length : end + mark.length;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  for (let i = from + 1; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === quote || text[i] === '\n') return i + 1;
  }
  return text.length;
}

/** Just after the closing backtick, or just after the next `${`. */
function endOfTemplatePart(text: string, from: number): number {
  for (let i = from; i < text.length; i += 1) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === '`') return i + 1;
    else if (text.startsWith('${', i)) return i + 2;
  }
  return text.length;
}

function endOfRegExp(text: string, from: number): number {
  let inClass = false;
  for (let i = from + 1; i < text.length; i += 1) {
    const one = text[i];
    if (one === '\\') i += 1;
    else if (one === '\n') return i;
    else if (one === '[') inClass = true;
    else if (one === ']') inClass = false;
    else if (one === '/' && !inClass) return i + 1;
  }
  return text.length;
}

function beginsRegExp(out: readonly string[], at: number): boolean {
  let last = at - 1;
  while (last >= 0 && /\s/.test(out[last] ?? '')) last -= 1;
  if (last < 0) return true;
  const before = out[last] ?? '';
  // The slash of `</p>` and of `<br />`: the markup of a .tsx file, and nothing that begins a regular expression elsewhere.
  if (before === '<' || out[at + 1] === '>') return false;
  if (/[\w$]/.test(before)) return wordsBeforeRegExp.test(out.slice(Math.max(0, last - 12), last + 1).join(''));
  return !/[)\]'"`/]/.test(before);
}

const statement =
  /(?<![.\w$])(?:import|export)(?=[\s{*])\s*(?<type>type(?=[\s{*])\s*(?=[\w*{$]))?(?:(?!\b(?:import|export|from)\b)[\w*\s{},$])+\bfrom\s*(?<quote>["'])/g;
const bare = /(?<![.\w$])import\s*(?<quote>["'])/g;
const dynamic = /(?<![.\w$])import\s*\(\s*(?<quote>["'`])/g;

/** Every import of a file, in the order of the text. @param code the same text after {@link blank} */
export function imports(text: string, code: string): readonly Import[] {
  const found: Import[] = [];
  for (const pattern of [statement, bare, dynamic]) {
    for (const match of code.matchAll(pattern)) {
      const start = match.index + match[0].length;
      const end = code.indexOf(match.groups?.['quote'] ?? '', start);
      if (end === -1) continue;
      found.push({
        specifier: text.slice(start, end),
        typeOnly: match.groups?.['type'] !== undefined,
        offset: match.index,
      });
    }
  }
  return found.toSorted((a, b) => a.offset - b.offset);
}

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < offset; i = text.indexOf('\n', i + 1)) line += 1;
  return line;
}
