import type {
  FieldNode,
  FragmentDefinitionNode,
  FragmentSpreadNode,
  GraphQLNamedType,
  GraphQLResolveInfo,
  InlineFragmentNode,
  SelectionNode,
} from 'graphql';

/** A field as it stands in a selection, and under which type conditions. */
export interface Selected {
  readonly node: FieldNode;
  /** The type whose field it is: that of the innermost condition, or the type selected from. */
  readonly type: GraphQLNamedType;
  /** Names of the types that an object has to be of, all of them. */
  readonly conditions: readonly string[];
}

/** What the walk needs of `info`. */
export type SelectionInfo = Pick<GraphQLResolveInfo, 'schema' | 'fragments' | 'variableValues' | 'operation'>;

/** The value of a variable; `undefined` if it cannot be known here. */
type Variables = (name: string) => unknown;

/**
 * The fields selected from `type` by some field nodes, with fragments opened and `@skip` and `@include` obeyed. Fields of
 * one name come as often as they were selected.
 */
export function selectedFields(
  info: SelectionInfo,
  nodes: readonly FieldNode[],
  type: GraphQLNamedType,
): readonly Selected[] {
  const found: Selected[] = [];
  const walk = (
    selections: readonly SelectionNode[],
    parent: Omit<Selected, 'node'>,
    variables: Variables,
    within: ReadonlySet<string>,
  ): void => {
    for (const selection of selections) {
      if (!isIncluded(selection, variables)) {
        continue;
      }
      if (isField(selection)) {
        found.push({ node: selection, ...parent });
        continue;
      }
      const fragment = isSpread(selection) ? info.fragments[selection.name.value] : selection;
      const name = isSpread(selection) ? selection.name.value : '';
      // Fragments that spread each other are an error of validation, which a server may have switched off.
      if (fragment === undefined || within.has(name)) {
        continue;
      }
      const condition = fragment.typeCondition?.name.value;
      const narrowed = condition === undefined ? undefined : info.schema.getType(condition);
      walk(
        fragment.selectionSet.selections,
        narrowed ? { type: narrowed, conditions: [...parent.conditions, narrowed.name] } : parent,
        isSpread(selection) ? withoutParameters(fragment as FragmentDefinitionNode, variables) : variables,
        name === '' ? within : new Set([...within, name]),
      );
    }
  };
  const variables = variablesOf(info);
  for (const node of nodes) {
    walk(node.selectionSet?.selections ?? [], { type, conditions: [] }, variables, new Set());
  }
  return found;
}

// `Kind` is an enum in graphql 16 and an object in 17; the strings are the same.
const isField = (node: SelectionNode): node is FieldNode => (node.kind as string) === 'Field';
const isSpread = (node: FragmentSpreadNode | InlineFragmentNode): node is FragmentSpreadNode =>
  (node.kind as string) === 'FragmentSpread';

/** Whether `@skip` and `@include` leave it in. A value that cannot be known leaves it in: too much is loaded, never too little. */
function isIncluded(node: SelectionNode, variables: Variables): boolean {
  const valueOf = (directive: string): unknown => {
    const found = node.directives?.find(({ name }) => name.value === directive);
    const value = found?.arguments?.find(({ name }) => name.value === 'if')?.value;
    if (value === undefined) {
      return undefined;
    }
    return 'value' in value ? value.value : 'name' in value ? variables(value.name.value) : undefined;
  };
  return valueOf('skip') !== true && valueOf('include') !== false;
}

/** graphql 16 gives the values themselves, 17 `{ sources, coerced }`. */
function variablesOf(info: SelectionInfo): Variables {
  const values = info.variableValues as Record<string, unknown>;
  const declared = new Set(info.operation.variableDefinitions?.map(({ variable }) => variable.name.value));
  const areNested = 'coerced' in values && 'sources' in values && !(declared.has('coerced') && declared.has('sources'));
  const known = areNested ? (values['coerced'] as Record<string, unknown>) : values;
  return name => known[name];
}

/** A fragment's own parameters (an experiment of graphql 17) hide the operation's variables; their values are not told. */
function withoutParameters(fragment: FragmentDefinitionNode, variables: Variables): Variables {
  const own = fragment.variableDefinitions?.map(({ variable }) => variable.name.value);
  return own?.length ? name => (own.includes(name) ? undefined : variables(name)) : variables;
}
