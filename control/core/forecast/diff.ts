// What differs between two pieces of configuration, as data: lists of named things are compared by name, so that a change of
// order alone is one change and not many.

/** One difference. */
export interface Change {
  readonly action: 'add' | 'remove' | 'change';
  /** Names from the outside in, joined by `/`: `stages/prod/environments/prod-na`. */
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Fields that name the items of a list, the first that all items have. */
const nameFields = ['stage', 'environment', 'edge', 'window', 'workflow', 'step', 'policy', 'group', 'name', 'app'] as const;

/** Every difference from `before` to `after`, in the order of `after`. Absent and `undefined` are the same. */
export function differences(before: unknown, after: unknown, path = ''): readonly Change[] {
  if (before === undefined && after === undefined) return [];
  if (before === undefined) return [{ action: 'add', path, after }];
  if (after === undefined) return [{ action: 'remove', path, before }];
  const [named, namedAfter] = [byName(before), byName(after)];
  if (named !== undefined && namedAfter !== undefined) {
    const changes = entries(named, namedAfter, path);
    const [from, to] = [[...named.keys()].filter((name) => namedAfter.has(name)), [...namedAfter.keys()].filter((name) => named.has(name))];
    const moved = from.some((name, index) => name !== to[index]);
    return moved ? [...changes, { action: 'change', path: join(path, 'order'), before: [...named.keys()], after: [...namedAfter.keys()] }] : changes;
  }
  const [fields, fieldsAfter] = [fieldsOf(before), fieldsOf(after)];
  if (fields !== undefined && fieldsAfter !== undefined) return entries(fields, fieldsAfter, path);
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ action: 'change', path, before, after }];
}

function entries(before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>, path: string): readonly Change[] {
  const names = [...after.keys(), ...[...before.keys()].filter((name) => !after.has(name))];
  return names.flatMap((name) => differences(before.get(name), after.get(name), join(path, name)));
}

/** The items of a list by their names; undefined when it is no list of things with names of their own. An empty one is. */
function byName(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (!Array.isArray(value)) return undefined;
  const field = nameFields.find((one) => value.every((item) => typeof fieldsOf(item)?.get(one) === 'string'));
  if (field === undefined) return undefined;
  const items = new Map(value.map((item) => [String(fieldsOf(item)?.get(field)), item]));
  return items.size === value.length ? items : undefined;
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : undefined;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}
