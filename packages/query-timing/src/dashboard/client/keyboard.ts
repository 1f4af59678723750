/// <reference lib="dom" />

/** What keys do, wherever the focus is. */
export interface Keys {
  /** Returns whether there was something to undo. */
  readonly escape: () => boolean;
}

/** `/` goes to the search, Escape takes back what was done last. */
export function startKeyboard({ escape }: Keys): void {
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) {
      return;
    }
    const search = document.getElementById('search');
    if (event.key === '/' && !isField(event.target)) {
      event.preventDefault();
      search?.focus();
    } else if (event.key === 'Escape' && !escape() && event.target === search) {
      search?.blur();
    }
  });
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}
