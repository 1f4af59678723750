/// <reference lib="dom" />
import type { Near, State } from './state.ts';

/** So far beyond the window chunks are drawn, in px: whoever scrolls sees no empty ones. */
const MARGIN = 900;

/** Which chunks are near the window now, if they are not those that were drawn. */
export function nearby(root: ParentNode, state: State): Pick<State, 'near' | 'heights'> | undefined {
  const found = new Map<string, Near>();
  const heights: Record<string, number> = { ...state.heights };
  for (const body of root.querySelectorAll<HTMLElement>('tbody[data-chunk]')) {
    const name = body.dataset['chunk'] ?? '';
    const [id = '', place] = name.split(' ');
    const { top, bottom, height } = body.getBoundingClientRect();
    if (!body.classList.contains('folded')) {
      heights[name] = height;
    }
    // What has the focus stays: it would be lost.
    if ((bottom > -MARGIN && top < window.innerHeight + MARGIN) || body.contains(document.activeElement)) {
      const index = Number(place);
      found.set(id, { first: found.get(id)?.first ?? index, last: index });
    }
  }
  const changed = [...found].some(([id, { first, last }]) => {
    const drawn = state.near[id] ?? { first: 0, last: 0 };
    return drawn.first !== first || drawn.last !== last;
  });
  return changed ? { near: { ...state.near, ...Object.fromEntries(found) }, heights } : undefined;
}
