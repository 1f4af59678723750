/** What can be looked at, in the order of the tabs. */
export const views = ['findings', 'requests', 'shapes', 'plans', 'pool', 'nodes', 'cache', 'batches', 'cost'] as const;

export type View = (typeof views)[number];

/** What is looked at: a view, or one thing in it. The hash of the page's address holds it, so that it can be linked to. */
export interface Place {
  readonly view: View;
  readonly id: string | undefined;
}

/** Anything unknown is the first view. Pure. @param hash with its `#` */
export function placeOf(hash: string): Place {
  const [name, id = ''] = hash.slice(1, 300).split('/', 2);
  const view = views.find(each => each === name) ?? 'findings';
  return { view, id: id === '' ? undefined : decoded(id) };
}

/** With its `#`. Pure. */
export function hashOf(view: View, id?: string | number): string {
  return id === undefined ? `#${view}` : `#${view}/${encodeURIComponent(id)}`;
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}
