import { isDialect, isKysely } from './kysely.ts';

/** A pool of pg, as far as it is listened to. */
export interface Pool {
  /** What it makes its connections of. */
  Client?: new (...args: unknown[]) => Client;
  readonly options?: { readonly host?: string; readonly port?: number };
  on(event: 'connect', listener: (client: Client) => void): unknown;
}

interface Client {
  on(event: 'notice', listener: (notice: { readonly message?: string }) => void): unknown;
}

/** `driverOptions` that hand each pool which is made of them to `listen`, whoever makes it (MikroORM's public `onPoolCreated`). */
export function withPools(given: unknown, listen: (pool: Pool) => void): unknown {
  if (given !== undefined && (typeof given !== 'object' || given === null || isDialect(given) || isKysely(given))) {
    return given;
  }
  const { onPoolCreated } = (given ?? {}) as { onPoolCreated?: (pool: Pool) => unknown };
  return {
    ...given,
    onPoolCreated(pool: Pool): unknown {
      listen(pool);
      return onPoolCreated?.(pool);
    },
  };
}

/** What servers say beside their answers. */
export function hearNotices(pool: Pool, notice: (message: string) => void): void {
  pool.on('connect', client => void client.on('notice', ({ message }) => notice(message ?? '')));
}

const TIMED = new WeakSet<Pool>();

/**
 * How long each connection takes to be there, from when it is made until it can be used, in µs. One that cannot be opened is
 * not told of. A pool is timed once, by whoever is first to ask.
 */
export function timeCreation(pool: Pool, created: (took: number) => void): void {
  const { Client } = pool;
  if (Client === undefined || TIMED.has(pool)) {
    return;
  }
  TIMED.add(pool);
  const begun = new WeakMap<Client, number>();
  // The pool says when a connection is there, but not when it began to make it. No subclass: whatever can be constructed may
  // be given to pg.
  const timed: NonNullable<Pool['Client']> = new Proxy(Client, {
    construct(target, args, newTarget) {
      const at = performance.now();
      const client = Reflect.construct(target, args, newTarget === timed ? target : newTarget) as Client;
      begun.set(client, at);
      return client;
    },
  });
  pool.Client = timed;
  pool.on('connect', client => {
    const at = begun.get(client);
    if (at !== undefined) {
      created((performance.now() - at) * 1000);
    }
  });
}

/** Where a pool leads. */
export function addressOf({ options }: Pool): string {
  return `${options?.host ?? 'localhost'}:${options?.port ?? 5432}`;
}
