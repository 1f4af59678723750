/** What an element is to be like. Plain data but for its listeners. */
export interface VNode {
  readonly tag: string;
  /** Tells it among its siblings, so that it stays the same element wherever it moves. */
  readonly key: string | undefined;
  /** `true`: there without a value; `false` and `undefined`: not there. */
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Properties of CSS; set by code, since the page's policy refuses the attribute. */
  readonly style: Readonly<Record<string, string>>;
  readonly on: Readonly<Record<string, Listener>>;
  readonly children: readonly (VNode | string)[];
}

export type Listener = (event: Event) => void;

export type Child = VNode | string | number | false | undefined;

export interface Props {
  readonly key?: string | number | undefined;
  readonly on?: Readonly<Record<string, Listener>>;
  readonly style?: Readonly<Record<string, string>>;
  readonly attributes?: VNode['attributes'];
}

/** With a space between each two: what stands beside each other is not one word for who copies it, or listens to it. Pure. */
export function spaced(children: readonly Child[]): readonly Child[] {
  return children
    .filter(child => child !== undefined && child !== false && child !== '')
    .flatMap((child, index) => (index === 0 ? [child] : [' ', child]));
}

/** No properties: one object for all that have none. */
export const none: Readonly<Record<string, never>> = {};

/**
 * An element. Pure. @param selector tag and classes, as `'td.number.wide'`
 * @param rest its children, also in lists; `false` and `undefined` are left out
 */
export function h(selector: string, props: Props | undefined, ...rest: readonly (Child | readonly Child[])[]): VNode {
  const [tag = 'div', ...classes] = selector.split('.');
  const { key, on = none, style = none, attributes = none } = props ?? {};
  return {
    tag,
    key: key === undefined ? undefined : String(key),
    attributes: classes.length > 0 ? { class: classes.join(' '), ...attributes } : attributes,
    style,
    on,
    children: rest
      .flat()
      .flatMap(child =>
        child === undefined || child === false || child === ''
          ? []
          : [typeof child === 'number' ? String(child) : child],
      ),
  };
}
