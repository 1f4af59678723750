/// <reference lib="dom" />

/**
 * Shows `data-tip` of what the mouse is over or what has the focus: its first line in bold. It can be pointed at, and
 * Escape hides it (WCAG 2.1, 1.4.13). For who does not see it, the same is said by tables and labels.
 */
export function startTooltips(root: HTMLElement): { hide(): boolean } {
  const tip = document.createElement('div');
  tip.className = 'tooltip';
  tip.hidden = true;
  tip.setAttribute('aria-hidden', 'true');
  document.body.append(tip);
  let owner: Element | undefined;

  const hide = (): boolean => {
    const shown = !tip.hidden;
    tip.hidden = true;
    owner = undefined;
    return shown;
  };

  const hasFocus = (): boolean => owner?.matches(':focus-visible') === true;

  const show = (target: EventTarget | null): void => {
    const found = target instanceof Element ? target.closest('[data-tip]') : undefined;
    if (!found) {
      if (!hasFocus() && !(target instanceof Node && tip.contains(target))) {
        hide();
      }
      return;
    }
    owner = found;
    const [first = '', ...rest] = (found.getAttribute('data-tip') ?? '').split('\n');
    const head = document.createElement('b');
    head.textContent = first;
    tip.replaceChildren(head, ...rest.flatMap(line => [document.createElement('br'), line]));
    tip.hidden = false;
    put(tip, found.getBoundingClientRect());
  };

  root.addEventListener('pointerover', event => show(event.target));
  root.addEventListener('focusin', event => {
    // A press has its own effect; only who moves by keys needs it.
    if (event.target instanceof Element && event.target.matches(':focus-visible')) {
      show(event.target);
    }
  });
  root.addEventListener('focusout', hide);
  document.addEventListener('pointerleave', () => void (hasFocus() || hide()));
  const scrolled = (): void => {
    if (owner && hasFocus()) {
      // What gets the focus is scrolled to, which is told of afterwards.
      put(tip, owner.getBoundingClientRect());
    } else if (owner) {
      hide();
    }
  };
  window.addEventListener('scroll', scrolled, { passive: true, capture: true });
  return { hide };
}

/** Below what it is about, or above where there is no room; never beyond the window. */
function put(tip: HTMLElement, at: DOMRect): void {
  const { width, height } = tip.getBoundingClientRect();
  const below = at.bottom + 6;
  const top = below + height > window.innerHeight - 4 ? Math.max(4, at.top - height - 6) : below;
  const left = Math.max(4, Math.min(at.left, document.documentElement.clientWidth - width - 4));
  tip.style.setProperty('top', `${top}px`);
  tip.style.setProperty('left', `${left}px`);
}
