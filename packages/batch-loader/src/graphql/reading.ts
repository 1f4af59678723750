import type { EntityMetadata } from '@mikro-orm/core';
import type { FieldNode, GraphQLResolveInfo } from 'graphql';
import type { HintsOptions } from './hints.ts';
import { namedType } from './schema-types.ts';
import { nothing, type Wanted, WantedReader } from './wanted.ts';

/** Reads what the selection of a field asks of its entities, which are of one of `metas`. */
export function readSelection(
  info: GraphQLResolveInfo,
  metas: readonly EntityMetadata[],
  options: HintsOptions & { readonly leaveResolvers: boolean },
): Wanted {
  const reader = new WantedReader(info, {
    types: options.types ?? {},
    properties: options.properties ?? {},
    dependencies: options.dependencies ?? {},
    populateWithArguments: options.populateWithArguments ?? false,
    leaveResolvers: options.leaveResolvers,
  });
  const wanted = nothing();
  const path = options.path === undefined || options.path === '' ? [] : options.path.split('.');
  for (const place of reader.open(info.fieldNodes, namedType(info.returnType), path)) {
    reader.read(wanted, place.nodes, place.type, metas);
  }
  for (const column of orderPaths(options.orderBy)) {
    for (const meta of metas) {
      reader.readPath(wanted, column, meta);
    }
  }
  return wanted;
}

interface Remembered<Value> {
  readonly nodes: readonly FieldNode[];
  readonly value: Value;
}

/**
 * Remembers what a resolver has read in a selection: it is called for every parent, with the same nodes. The array of nodes
 * is another each time in graphql 17, and the same for operations with other variables where documents are compiled.
 */
export class PerSelection<Value> {
  readonly #byVariables = new WeakMap<object, Map<FieldNode, Remembered<Value>[]>>();

  get({ variableValues, fieldNodes }: GraphQLResolveInfo, read: () => Value): Value {
    let byNode = this.#byVariables.get(variableValues);
    if (byNode === undefined) {
      byNode = new Map();
      this.#byVariables.set(variableValues, byNode);
    }
    const candidates = byNode.get(fieldNodes[0]!) ?? [];
    const isSame = (nodes: readonly FieldNode[]): boolean =>
      nodes.length === fieldNodes.length && nodes.every((node, at) => node === fieldNodes[at]);
    let found = candidates.find(({ nodes }) => isSame(nodes));
    if (found === undefined) {
      found = { nodes: fieldNodes, value: read() };
      byNode.set(fieldNodes[0]!, [...candidates, found]);
    }
    return found.value;
  }
}

/** `{ author: { name: 'asc' } }` → `author.name`. Raw fragments are symbols, and have no property. */
function orderPaths(orderBy: unknown): string[][] {
  if (Array.isArray(orderBy)) {
    return orderBy.flatMap(orderPaths);
  }
  return Object.entries(orderBy ?? {}).flatMap(([name, direction]) =>
    typeof direction === 'object' && direction !== null
      ? orderPaths(direction).map(path => [name, ...path])
      : [name.split('.')],
  );
}
