import type { Lease } from '../lease.ts';
import type { NodeClient } from './node-client.ts';
import type { PgClient, PgOptions, PgPool, PgPoolClass } from './pg.ts';

/** Why a place in a pool was not given: all are taken, for too long. */
export class PoolTimeout extends Error {
  override readonly name = 'PoolTimeout';
}

/** Why those who waited for a place are sent away: the node is down. */
export class PoolReset extends Error {
  override readonly name = 'PoolReset';
}

/** How long a server may take to answer a goodbye, in ms. */
const GOODBYE = 500;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** What a pool holds now. */
export interface PoolCounts {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
  readonly max: number;
}

/**
 * The connections to one node: pg's pool, and a queue before it. pg's own queue forgets those who wait when the pool ends,
 * has one timeout for connecting and for waiting, and a timer for each.
 */
export class NodePool {
  readonly #Pool: PgPoolClass;
  readonly #options: PgOptions;
  readonly #waitTimeout: number;
  readonly #lifetime: number;
  readonly #created: (pool: PgPool) => void;
  readonly #broken: (error: Error) => void;
  readonly #waiters: Waiter[] = [];
  /** Those that are open; one that is in use knows its way back. */
  readonly #all = new Set<NodeClient>();
  #taken = 0;
  #inFlight = 0;
  #pool: PgPool;
  #ended = false;

  /**
   * @param options of pg's pool; `maxLifetimeSeconds` gets ±10 % of jitter, so that connections do not all end together
   * @param waitTimeout how long to wait for a place, in ms
   * @param created called with each pool of pg
   * @param broken called when an idle connection is lost
   */
  constructor(
    Pool: PgPoolClass,
    options: PgOptions,
    waitTimeout: number,
    created: (pool: PgPool) => void,
    broken: (error: Error) => void,
  ) {
    this.#Pool = Pool;
    // Places are waited for here; connecting has its own limit in the client.
    this.#options = { ...options, connectionTimeoutMillis: 0 };
    this.#lifetime = options.maxLifetimeSeconds ?? 0;
    this.#waitTimeout = waitTimeout;
    this.#created = created;
    this.#broken = broken;
    this.#pool = this.#create();
  }

  get counts(): PoolCounts {
    const { totalCount, idleCount } = this.#pool;
    return { total: totalCount, idle: idleCount, waiting: this.#waiters.length, max: this.max };
  }

  get max(): number {
    return this.#pool.options.max!;
  }

  /** Those that have a place or wait for one. */
  get load(): number {
    return this.#taken + this.#waiters.length;
  }

  /** Statements and transactions under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** @param lease who looks after it @throws PoolTimeout, PoolReset, or whatever connecting fails with */
  async connect(lease?: Lease): Promise<NodeClient> {
    if (this.#taken >= this.max) {
      await this.#place();
    } else {
      this.#taken++;
    }
    const pool = this.#pool;
    try {
      const client = (await pool.connect()) as NodeClient;
      if (pool !== this.#pool || this.#ended) {
        client.release?.(true);
        throw new PoolReset('The connection was made to a node that is down by now.');
      }
      this.#inFlight++;
      client.out = true;
      client.lease = lease;
      client.toPool = client.release;
      client.release = client.giveBack;
      return client;
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  /** Opens connections until there are as many as `min` says. One that fails is left to the next call. */
  async warm(): Promise<void> {
    const { totalCount, idleCount } = this.#pool;
    const missing = Math.min(this.#options.min ?? 0, this.max) - totalCount;
    if (missing <= 0) {
      return;
    }
    // pg's pool gives those that are idle before it opens another one: they are taken as well, and given back at once.
    const asked = Math.min(missing + idleCount, this.max - this.#taken);
    await Promise.allSettled(
      Array.from({ length: Math.max(0, asked) }, async () => (await this.connect()).release?.()),
    );
  }

  /**
   * Ends every connection, those in use as well, and sends away those who wait. The next `connect()` begins anew.
   * @param keep of those in use: which may go on until they are given back
   */
  reset(why: string, keep: (client: NodeClient) => boolean = () => false): void {
    const old = this.#pool;
    this.#pool = this.#create();
    this.#sendAway(why);
    [...this.#all].filter(client => !(client.out && keep(client))).forEach(client => client.destroy());
    void endOf(old).catch(() => undefined);
  }

  /** Ends it when what is under way has ended, and at the latest after `grace` ms. A server that hangs says no goodbye. */
  async end(grace: number): Promise<void> {
    this.#ended = true;
    this.#sendAway('The ORM was closed.');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, this.#inFlight > 0 ? grace : Math.min(grace, GOODBYE));
    });
    await Promise.race([endOf(this.#pool), late]);
    clearTimeout(timer);
    this.#all.forEach(client => client.destroy());
  }

  #create(): PgPool {
    const pool = new this.#Pool({ ...this.#options, password: this.#options.password });
    if (this.#lifetime > 0) {
      Object.defineProperty(pool.options, 'maxLifetimeSeconds', {
        get: () => this.#lifetime * (0.9 + Math.random() * 0.2),
      });
    }
    pool.on('connect', (client: PgClient) => {
      // Without a listener an error of a connection that is in use would end the process; its statement fails anyway.
      client.on('error', () => undefined);
      const made = client as NodeClient;
      this.#all.add(made);
      // Kysely does not give back a connection whose commit has failed, and pg throws when one is given back twice.
      made.giveBack = error => {
        const { toPool } = made;
        made.toPool = undefined;
        // In the middle of a transaction: whoever has it next would be in it as well, and lose what he writes with it.
        toPool?.(error ?? (made.transactionStatus === 'I' ? undefined : true));
      };
      made.on('end', () => {
        this.#all.delete(made);
        made.giveBack?.(true);
      });
    });
    pool.on('error', (error: Error) => {
      if (pool === this.#pool) {
        this.#broken(error);
      }
    });
    pool.on('release', (_error: unknown, client: NodeClient) => {
      const { lease } = client;
      client.lease = undefined;
      lease?.released?.();
      // pg also takes and gives back those whose time is over, by itself.
      if (client.out) {
        client.out = false;
        this.#inFlight--;
        this.#leave();
      }
    });
    this.#created(pool);
    return pool;
  }

  #place(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve,
        reject,
        timer: setTimeout(() => {
          this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
          reject(new PoolTimeout(`All ${this.max} connections were in use for ${this.#waitTimeout} ms.`));
        }, this.#waitTimeout),
      };
      this.#waiters.push(waiter);
    });
  }

  #leave(): void {
    const next = this.#waiters.shift();
    if (next === undefined) {
      this.#taken--;
    } else {
      clearTimeout(next.timer);
      next.resolve();
    }
  }

  #sendAway(why: string): void {
    for (const { reject, timer } of this.#waiters.splice(0)) {
      clearTimeout(timer);
      reject(new PoolReset(why));
    }
  }
}

/** pg's pool gives an idle connection in the next tick, and forgets whoever asked for it if it is ended before. */
async function endOf(pool: PgPool): Promise<void> {
  await new Promise(resolve => void setImmediate(resolve));
  await pool.end();
}
