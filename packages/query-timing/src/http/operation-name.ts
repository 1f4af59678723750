/** What is used of a GraphQL document that was parsed and found valid, and of what is to be executed of it. */
export interface Operations {
  readonly document: { readonly definitions: readonly unknown[] };
  readonly operationName?: unknown;
}

/** A definition of a document, of whatever kind. */
interface Definition {
  readonly kind?: unknown;
  readonly operation?: unknown;
  readonly name?: { readonly value: string } | undefined;
  readonly selectionSet?: { readonly selections?: readonly Selection[] } | undefined;
}

interface Selection {
  readonly kind?: unknown;
  readonly name?: { readonly value: string } | undefined;
}

const MOST_FIELDS = 3;

/**
 * What the operation that is executed is called: `query Books`; one without a name by its first fields, `query { books }`. Only
 * names of the document, which are words by GraphQL's grammar: never an alias, an argument or what the client calls it beside.
 */
export function operationName({ document, operationName: chosen }: Operations): string | undefined {
  const operations = (document.definitions as readonly Definition[]).filter(
    ({ kind, name }) => kind === 'OperationDefinition' && (typeof chosen !== 'string' || name?.value === chosen),
  );
  const [operation] = operations;
  if (operation === undefined) {
    return undefined;
  }
  const { operation: type, name, selectionSet } = operation;
  return `${String(type)} ${name === undefined ? fieldsOf(selectionSet?.selections ?? []) : name.value}`;
}

function fieldsOf(selections: readonly Selection[]): string {
  const fields = selections
    .slice(0, MOST_FIELDS)
    .map(({ kind, name }) => (kind === 'Field' ? name?.value : `…${name?.value ?? ''}`));
  const rest = selections.length > MOST_FIELDS ? ', …' : '';
  return `{ ${fields.join(', ')}${rest} }`;
}
