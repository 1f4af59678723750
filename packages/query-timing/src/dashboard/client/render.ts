/// <reference lib="dom" />
import { visible } from '../../report/visible.ts';
import { type Listener, none, type VNode } from './vnode.ts';

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes the children of an element like a tree, and as often as that tree changes. Elements stay where they may: focus,
 * selection, scrolling and what somebody has opened survive. Texts become text nodes and nothing else.
 */
export function createRenderer(root: Element): (tree: VNode) => void {
  // What an element was last made like, and who listens to it now.
  const made = new WeakMap<Node, VNode>();

  const create = (node: VNode | string, namespace: string | null): Node => {
    if (typeof node === 'string') {
      return document.createTextNode(visible(node));
    }
    const own = node.tag === 'svg' ? SVG : namespace;
    const element = own === null ? document.createElement(node.tag) : document.createElementNS(own, node.tag);
    update(element, node, undefined, own);
    return element;
  };

  const update = (element: Element, node: VNode, before: VNode | undefined, namespace: string | null): void => {
    made.set(element, node);
    changes(before?.attributes ?? none, node.attributes, (name, value) => setAttribute(element, name, value));
    changes(before?.style ?? none, node.style, (name, value) =>
      (element as HTMLElement).style.setProperty(name, value ?? ''),
    );
    for (const name of Object.keys(node.on)) {
      if (!before?.on[name]) {
        // One for good: who listens is looked up when it happens.
        element.addEventListener(name, event => listenerOf(element, name)?.(event));
      }
    }
    updateChildren(element, node.children, namespace);
  };

  const listenerOf = (element: Element, name: string): Listener | undefined => made.get(element)?.on[name];

  const updateChildren = (parent: Element, nodes: VNode['children'], namespace: string | null): void => {
    const keyed = new Map<string, Element>();
    for (const child of parent.children) {
      const key = made.get(child)?.key;
      if (key !== undefined) {
        keyed.set(key, child);
      }
    }
    let next = parent.firstChild;
    for (const node of nodes) {
      const found = typeof node === 'string' || node.key === undefined ? next : (keyed.get(node.key) ?? null);
      if (found && typeof node === 'string' && found.nodeType === Node.TEXT_NODE) {
        const text = visible(node);
        if (found.nodeValue !== text) {
          found.nodeValue = text;
        }
        next = found.nextSibling;
        continue;
      }
      const before = found ? made.get(found) : undefined;
      if (found && before && typeof node !== 'string' && before.tag === node.tag && before.key === node.key) {
        if (found !== next) {
          parent.insertBefore(found, next);
        } else {
          next = found.nextSibling;
        }
        update(found as Element, node, before, node.tag === 'svg' ? SVG : namespace);
        continue;
      }
      parent.insertBefore(create(node, namespace), next);
    }
    while (next) {
      const gone: ChildNode = next;
      next = gone.nextSibling;
      gone.remove();
    }
  };

  return tree => updateChildren(root, [tree], null);
}

/** Tells of what is new, different or gone. */
function changes<Value>(
  before: Readonly<Record<string, Value>>,
  now: Readonly<Record<string, Value>>,
  change: (name: string, value: Value | undefined) => void,
): void {
  if (before === now) {
    return;
  }
  for (const name in now) {
    if (now[name] !== before[name]) {
      change(name, now[name]);
    }
  }
  for (const name in before) {
    if (!(name in now)) {
      change(name, undefined);
    }
  }
}

function setAttribute(element: Element, name: string, value: VNode['attributes'][string]): void {
  // What somebody has typed or ticked is a property; the attribute is only where it began.
  if (name === 'value' && element instanceof HTMLInputElement) {
    if (element.value !== value) {
      element.value = String(value ?? '');
    }
    return;
  }
  if (value === undefined || value === false) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? '' : visible(String(value)));
  }
}
