/** Options of `queryTiming()`; every one may be left out. */
export interface QueryTimingOptions {
  /**
   * Which defaults apply. @default NODE_ENV: `'production'` and `'test'` as they are, else `'development'`
   */
  environment?: 'development' | 'test' | 'production' | undefined;
  /** From when on a query is slow, in ms: for all, or for some entities and shapes (by `id`) too. @default 100 */
  slow?: number | SlowOptions | undefined;
  /** `false`: not looked for. */
  nPlusOne?: false | NPlusOneOptions | undefined;
  /**
   * What is kept of parameters: nothing, their types, a hash that tells equal ones (new with each process), or their text.
   * Columns that are `hidden` or look secret are left out always, and of JSON nothing is shown. @default 'types'
   */
  parameters?: 'off' | 'types' | 'hashed' | 'full' | undefined;
  /** More columns whose values are never shown, beside `hidden` ones and those called like pass…, …secret…, …token…, ssn, email. */
  secretColumns?: readonly (string | RegExp)[] | undefined;
  /** Where calls come from: of slow queries, repeats and one in so many. `false`: nowhere. */
  callSites?: false | CallSiteOptions | undefined;
  /** `false`: no plans. */
  plans?: false | PlanOptions | undefined;
  /** `false`: none. */
  advice?: false | AdviceOptions | undefined;
  /** A connection that does nothing in a transaction for so long is told of, in ms. @default 100 */
  idleInTransaction?: number | undefined;
  /** A transaction that takes so long is told of, in ms. @default 1000 */
  longTransaction?: number | undefined;
  /** Waits for a connection of the pool that are told of: the 95th percentile of a minute, in ms. @default 50 */
  poolWait?: number | undefined;
  /** Comments on the SQL that is sent, for the server's own logs and views. @default 'off' */
  comments?: 'off' | 'static' | 'full' | CommentOptions | undefined;
  /** Reports in the terminal. @default in development: findings and a line for each scope; a table at the end of a script */
  terminal?: boolean | TerminalOptions | undefined;
  /** Findings that are known and not told of again: ids, or a file that a test run has written. */
  baseline?: string | readonly string[] | undefined;
}

/** From when on a query is slow. */
export interface SlowOptions {
  /** In ms. @default 100 */
  readonly overall?: number;
  /** By entity (class or class name), in ms. */
  readonly entities?: readonly (readonly [entity: unknown, ms: number])[];
  /** By `id` of a shape, in ms. */
  readonly shapes?: Readonly<Record<string, number>>;
}

/** When repeats are an N+1. */
export interface NPlusOneOptions {
  /** So many with different parameters. @default 3, in production 5 */
  readonly threshold?: number;
  /** That took so long together, in ms. @default 0, in production 50 */
  readonly minTime?: number;
  /** Not those called from a file or function like this (a part of the text, or a pattern), of this entity, or of this shape. */
  readonly ignore?: readonly (string | RegExp)[];
  /** Keeps hashes of what key columns held, to prove which query led to it. @default true */
  readonly proof?: boolean;
}

/** How calls are located. */
export interface CallSiteOptions {
  /** One query in so many, whatever it is; 0: none. @default 256, in tests 1 */
  readonly sample?: number;
  /** Frames of files like this are passed over, beside `node_modules`. */
  readonly ignore?: readonly (string | RegExp)[];
}

/** How plans are got. */
export interface PlanOptions {
  /**
   * - `'explain'`: EXPLAIN of slow reads, on a connection of its own; executes nothing;
   * - `'analyze'`: EXPLAIN (ANALYZE, TIMING OFF): executes slow reads once more, read-only, under a time limit. Trap: a
   *   function that is called there may still do something that is not undone.
   *
   * @default 'explain'
   */
  readonly mode?: 'explain' | 'analyze';
  /** Uses `auto_explain` where it is loaded and granted: the plan of the slow execution itself. @default true */
  readonly autoExplain?: boolean;
  /** EXPLAIN (GENERIC_PLAN): no value leaves the process. @default false */
  readonly generic?: boolean;
  /** At most so many in a minute. @default 6 */
  readonly perMinute?: number;
  /** One shape is explained again after so long, in ms. @default 900000 */
  readonly again?: number;
  /** Where to explain, as a URL: a replica, a role that may read only. @default the ORM's own server and role */
  readonly clientUrl?: string;
}

/** How indexes are advised. */
export interface AdviceOptions {
  /**
   * Where a plan with the index is looked at: HypoPG if it is installed, else not at all; or on `clientUrl`, a database that
   * may be thrown away and holds a copy, where the index is created and rolled back. @default 'hypopg'
   */
  readonly verify?: 'hypopg' | { readonly clientUrl: string };
  /** Tables with fewer rows need none. @default 500 */
  readonly minRows?: number;
}

/** What is added to SQL. */
export interface CommentOptions {
  /** `'static'`: what is the same for all queries of a route; `'full'`: `traceparent` and tags of the scope as well. */
  readonly mode: 'off' | 'static' | 'full';
  readonly application?: string;
  /** In front of the statement, where a server that shows only its beginning still shows it. @default false */
  readonly prepend?: boolean;
  /** More tags, asked for each query. */
  readonly tags?: () => Readonly<Record<string, string>>;
}

/** What is written to the terminal. */
export interface TerminalOptions {
  /** A line for each scope, with its findings. @default true */
  readonly scopes?: boolean;
  /** A table when the process ends. @default true */
  readonly summary?: boolean;
  /** Scopes without findings that are faster are left out, in ms. @default 0 */
  readonly minTime?: number;
  /** Where to. @default process.stderr */
  readonly stream?: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
}
