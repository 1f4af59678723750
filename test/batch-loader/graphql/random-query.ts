import type { GraphQLNamedType, GraphQLOutputType, GraphQLSchema } from 'graphql';
import type { Random } from '../random.ts';

/** A random operation, with every way there is to write a selection. */
export interface RandomQuery {
  readonly text: string;
  readonly variables: Record<string, unknown>;
}

interface Fields {
  readonly name: string;
  getFields(): Record<
    string,
    { readonly name: string; readonly type: GraphQLOutputType; readonly args: readonly unknown[] }
  >;
}

/** Of type and field; a collection whose owner is also two or more levels further up is left to its resolver. */
const ONE_TO_MANY = new Set([
  'Author.pupils',
  'Author.writings',
  'Publisher.books',
  'Book.copies',
  'Copy.loans',
  'Person.loans',
  'Slip.loans',
  'Animal.toys',
]);
const ROOT_TYPES: Record<string, string> = { Student: 'Person', Teacher: 'Person', Dog: 'Animal', Cat: 'Animal' };

/** Where MikroORM 7.2 itself loses entities populated on several paths: Dates as keys, and references by a `targetKey`. */
const UNSTABLE = ['day', 'imprints'];

/** Lazy columns: below a polymorphic reference they are left to their resolvers, as relations are. */
const LAZY = ['bio', 'notes', 'summary'];

/**
 * Selects from `root` (a field of Query) at random, not deeper than `depth` relations.
 *
 * @param by what answers it: what `hints` has read, alone or with a resolver for each relation, or these resolvers alone
 */
export function randomQuery(
  schema: GraphQLSchema,
  root: string,
  random: Random,
  depth: number,
  by: 'hints' | 'hints and resolvers' | 'resolvers',
): RandomQuery {
  const fragments: string[] = [];
  const names = new Map<string, string>();
  const variables: Record<string, unknown> = { yes: true, no: false };

  const directive = (): string => {
    if (!random.chance(0.2)) {
      return '';
    }
    return ` @${random.pick(['skip', 'include'])}(if: ${random.pick(['true', 'false', '$yes', '$no', '$byDefault'])})`;
  };

  const selectionOf = (type: GraphQLNamedType, left: number, above: readonly string[], polymorphic = false): string => {
    const parts: string[] = ['__typename'];
    if ('getFields' in type) {
      for (const field of Object.values((type as Fields).getFields())) {
        const target = named(field.type);
        const isLeaf = !('getFields' in target) && !('getTypes' in target);
        if (
          field.args.length > 0 ||
          (!isLeaf && left === 0) ||
          (by !== 'resolvers' && UNSTABLE.includes(field.name)) ||
          (by === 'hints' && ((polymorphic && LAZY.includes(field.name)) || isLeft(type.name, field.name, above))) ||
          !random.chance(isLeaf ? 0.35 : 0.3)
        ) {
          continue;
        }
        parts.push(fieldText(field.name, target, isLeaf, left, above));
        if (random.chance(0.15)) {
          parts.push(fieldText(field.name, target, isLeaf, left, above));
        }
      }
    }
    for (const part of possible(type)) {
      if (random.chance(0.5)) {
        parts.push(`... on ${part.name}${directive()} ${selectionOf(part, left, above, polymorphic)}`);
      }
    }
    if (random.chance(0.15)) {
      parts.push(`...${directive()} ${selectionOf(type, left, above, polymorphic)}`);
    }
    if (random.chance(0.2)) {
      const name = `F${fragments.length}`;
      const at = fragments.push('') - 1;
      fragments[at] = `fragment ${name} on ${type.name} ${selectionOf(type, left, above, polymorphic)}`;
      parts.push(`...${name}${directive()}`);
      if (random.chance(0.3)) {
        parts.push(`...${name}${directive()}`);
      }
    }
    return `{ ${parts.join(' ')} }`;
  };

  const fieldText = (
    name: string,
    target: GraphQLNamedType,
    isLeaf: boolean,
    left: number,
    above: readonly string[],
  ): string => {
    const isEntity = !/Connection|Edge|PageInfo|Address/.test(target.name);
    const isPolymorphic = target.name === 'Subject';
    const next = isPolymorphic && by === 'hints' ? 0 : /Connection|Edge/.test(target.name) ? left : left - 1;
    const below = isLeaf ? '' : selectionOf(target, next, isEntity ? [...above, target.name] : above, isPolymorphic);
    // Aliases of one name must stand for one field everywhere, or operations do not validate.
    const alias = random.chance(0.2) ? `a${names.size}_${name}` : undefined;
    if (alias) {
      names.set(alias, name);
    }
    return `${alias ? `${alias}: ` : ''}${name}${directive()} ${below}`;
  };

  const possible = (type: GraphQLNamedType): readonly GraphQLNamedType[] =>
    'getTypes' in type || ('getInterfaces' in type && !('isTypeOf' in type))
      ? (schema.getPossibleTypes(type as never) as readonly GraphQLNamedType[])
      : [];

  const type = named(schema.getQueryType()!.getFields()[root]!.type);
  const body = Array.from(
    { length: random.chance(0.2) ? 2 : 1 },
    () => `${root} ${selectionOf(type, depth, [type.name])}`,
  );
  // An operation with a variable that it does not use is not valid.
  const used = '... @include(if: $yes) { ... @skip(if: $no) { __typename @include(if: $byDefault) } }';
  return {
    text: `query($yes: Boolean!, $no: Boolean!, $byDefault: Boolean! = true) { ${body.join(' ')} ${used} }\n${fragments.join('\n')}`,
    variables,
  };
}

function isLeft(type: string, field: string, above: readonly string[]): boolean {
  const root = ROOT_TYPES[type] ?? type;
  return ONE_TO_MANY.has(`${root}.${field}`) && above.slice(0, -2).some(name => (ROOT_TYPES[name] ?? name) === root);
}

function named(type: GraphQLOutputType): GraphQLNamedType {
  let inner: object = type;
  while ('ofType' in inner) {
    inner = inner.ofType as object;
  }
  return inner as GraphQLNamedType;
}
