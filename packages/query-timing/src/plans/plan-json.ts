/** A node of a plan, or the whole answer of EXPLAIN, as `format json` has it. */
export type PlanJson = Readonly<Record<string, unknown>>;

/** Longer ones are not read. */
const MOST_CHARACTERS = 4_000_000;

/**
 * Reads what EXPLAIN (FORMAT JSON) or `auto_explain` wrote.
 * @param value text, or what a driver already made of it: then a query identifier has lost its last digits, and is left out
 * @returns the object that has `Plan`, or `undefined` if there is none
 */
export function readPlan(value: unknown): PlanJson | undefined {
  const parsed = typeof value === 'string' ? parse(value) : withoutInexactId(value);
  const first = Array.isArray(parsed) ? (parsed[0] as unknown) : parsed;
  return isPlanJson(first) && isPlanJson(first['Plan']) ? first : undefined;
}

export function isPlanJson(value: unknown): value is PlanJson {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The children of a node. */
export function childrenOf(node: PlanJson): readonly PlanJson[] {
  const plans = node['Plans'];
  return Array.isArray(plans) ? plans.filter(isPlanJson) : [];
}

/** A number of a node; 0 if it has none of that name. */
export function amount(node: PlanJson, name: string): number {
  return maybe(node, name) ?? 0;
}

/** A number of a node. */
export function maybe(node: PlanJson, name: string): number | undefined {
  const value = node[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A text of a node. */
export function text(node: PlanJson, name: string): string | undefined {
  const value = node[name];
  return typeof value === 'string' ? value : undefined;
}

/** A list of texts of a node. */
export function texts(node: PlanJson, name: string): readonly string[] {
  const value = node[name];
  return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
}

function parse(source: string): unknown {
  if (source.length > MOST_CHARACTERS) {
    return undefined;
  }
  try {
    // Its 19 digits are more than a number holds. Inside of a JSON text the quote would have a backslash before it.
    return JSON.parse(source.replace(/("Query Identifier":\s*)(-?\d+)/g, '$1"$2"'));
  } catch {
    return undefined;
  }
}

function withoutInexactId(value: unknown): unknown {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  if (isPlanJson(first) && typeof first['Query Identifier'] === 'number') {
    const { 'Query Identifier': _, ...rest } = first;
    return rest;
  }
  return first;
}
