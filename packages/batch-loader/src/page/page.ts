/** A row and its place, as a GraphQL connection has it. */
export interface PageEdge<Item> {
  readonly node: Item;
  readonly cursor: string;
}

/** `PageInfo` of the GraphQL Cursor Connections Specification, https://relay.dev/graphql/connections.htm. */
export interface PageInfo {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

/** What a page is made of. */
export interface PageParts<Item> {
  readonly items: Item[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly totalCount: number | undefined;
  readonly cursorOf: (item: Item) => string;
}

/**
 * Some rows of an order. It has the properties of MikroORM's `Cursor`, and is a connection of the GraphQL Cursor Connections
 * Specification (`edges`, `pageInfo`).
 *
 * Cursors are made when they are read, of what the entities hold then: change a property of the order, and the cursor is
 * that of the row's new place. Only `page()` reads them; MikroORM's `findByCursor()` would take one for no cursor at all.
 */
export class Page<Item extends object = object> implements Iterable<Item> {
  readonly items: Item[];
  /** Rows of all pages, if asked for. */
  readonly totalCount: number | undefined;
  readonly hasNextPage: boolean;
  readonly hasPrevPage: boolean;
  readonly #cursorOf: (item: Item) => string;
  #edges: PageEdge<Item>[] | undefined;

  constructor({ items, hasNextPage, hasPreviousPage, totalCount, cursorOf }: PageParts<Item>) {
    this.items = items;
    this.totalCount = totalCount;
    this.hasNextPage = hasNextPage;
    this.hasPrevPage = hasPreviousPage;
    this.#cursorOf = cursorOf;
  }

  get length(): number {
    return this.items.length;
  }

  /** The same as `hasPrevPage`, by GraphQL's name. */
  get hasPreviousPage(): boolean {
    return this.hasPrevPage;
  }

  /** Cursor of the first item, `null` if there is none. */
  get startCursor(): string | null {
    const [first] = this.items;
    return first === undefined ? null : this.from(first);
  }

  /** Cursor of the last item, `null` if there is none. */
  get endCursor(): string | null {
    const last = this.items.at(-1);
    return last === undefined ? null : this.from(last);
  }

  get edges(): readonly PageEdge<Item>[] {
    return (this.#edges ??= this.items.map(node => edge(node, this.#cursorOf)));
  }

  get pageInfo(): PageInfo {
    return pageInfo(this);
  }

  /**
   * Cursor of an entity, of this page or not.
   *
   * @throws {BatchLoaderError} `CURSOR` if a property of the order is not loaded
   */
  from(entity: Item): string {
    return this.#cursorOf(entity);
  }

  [Symbol.iterator](): Iterator<Item> {
    return this.items[Symbol.iterator]();
  }
}

function edge<Item>(node: Item, cursorOf: (item: Item) => string): PageEdge<Item> {
  return {
    node,
    get cursor() {
      return cursorOf(node);
    },
  };
}

/** Its cursors are made when they are read, as those of the page. */
function pageInfo(page: PageInfo): PageInfo {
  return {
    hasNextPage: page.hasNextPage,
    hasPreviousPage: page.hasPreviousPage,
    get startCursor() {
      return page.startCursor;
    },
    get endCursor() {
      return page.endCursor;
    },
  };
}
