/** Which way of reading is examined: with the resolver, or MikroORM alone. */
export type Subject = 'mikrokit' | 'plain';

/** What one process of a run has to do; travels as JSON. */
export interface Task {
  readonly subject: Subject;
  /** Counted from 0. */
  readonly worker: number;
  readonly primaryUrl: string;
  /** By name. */
  readonly replicaUrls: Readonly<Record<string, string>>;
  readonly journal: string;
  readonly writers: number;
  readonly readers: number;
  /** How long a reader waits for an order before it reads something that it knows, in ms. */
  readonly idle: number;
  /** Readers of rows that take long, besides. */
  readonly slowReaders: number;
  /** What a writer waits for at most between two writes, in ms; at least a third of it. */
  readonly pause: number;
  /** Further options of `replicaResolver()`. */
  readonly options: Readonly<Record<string, number>>;
}

/** Somebody is to read a register, and has to find this version of it. */
export interface Order {
  readonly key: number;
  readonly version: number;
  /** What the writer's session was at; `undefined` where there are no tokens. */
  readonly token: string | undefined;
  /** When it was given, on `clock.ts`. */
  readonly at: number;
}

/** What a process says. */
export type Report =
  | { readonly kind: 'ready' }
  /** For another process. */
  | { readonly kind: 'order'; readonly order: Order }
  /** The ORM is closed; nothing but the connection to the parent should keep the process alive. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly error: string };

/** What a process is told. */
export type Command =
  | { readonly kind: 'order'; readonly order: Order }
  /** Ends the clients and closes the ORM. */
  | { readonly kind: 'stop' }
  /** Lets go of the parent; the process then has to end by itself. */
  | { readonly kind: 'leave' };
