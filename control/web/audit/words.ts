// Entries of the audit in words, and where what they are about is shown. Pure.

/** Screens by kind of object. */
const screens: Readonly<Record<string, string>> = { environment: '/environments/', deployment: '/deployments/', promotion: '/promotions/', pipeline: '/pipelines/', target: '/targets/' };

/** The screen of an object such as `environment:prod`; undefined where it has none. */
export function addressOfObject(object: string): string | undefined {
  const at = object.indexOf(':');
  const [kind, id] = [object.slice(0, at), object.slice(at + 1)];
  const screen = screens[kind];
  if (screen !== undefined) return `${screen}${encodeURIComponent(id)}`;
  if (kind === 'revision') return `/trace?of=${encodeURIComponent(id)}`;
  const pipeline = id.slice(0, id.indexOf('/'));
  return kind === 'edge' && pipeline !== '' ? `/pipelines/${encodeURIComponent(pipeline)}?edge=${encodeURIComponent(id)}` : undefined;
}

/** As long an object as a column bears; ids of machines are longer. */
const objectLettersMax = 40;

export function shortObject(object: string): string {
  return object.length <= objectLettersMax ? object : `${object.slice(0, 24)} …`;
}

/** One side of a difference, short enough for a line. */
export function valueText(value: unknown, lettersMax = 120): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= lettersMax ? text : `${text.slice(0, lettersMax)} …`;
}

const hourMs = 3_600_000;
/** How far back somebody may look, by what the address says. */
export const spans: Readonly<Record<string, number>> = { '1h': hourMs, '24h': 24 * hourMs, '7d': 7 * 24 * hourMs, '30d': 30 * 24 * hourMs };

/** The instant from which on entries are asked for: to the minute, so that it is the same question for a while. */
export function sinceOf(span: string | undefined, now: number): number | undefined {
  const back = spans[span ?? ''];
  return back === undefined ? undefined : Math.floor((now - back) / 60_000) * 60_000;
}
