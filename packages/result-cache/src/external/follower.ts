import { ResultCacheError } from '../errors.ts';
import {
  type ChangeLog,
  channelOf,
  type FollowerQueries,
  followerQueries,
  identifier,
  qualified,
} from './change-log.ts';

/** What a follower of the change log works with. */
export interface FollowContext {
  /**
   * Runs a statement on the primary, in no transaction of the caller, and resolves with its rows. Parameters are `?`, as
   * MikroORM has them: `(sql, params) => orm.em.getConnection().execute(sql, params)`.
   */
  query(sql: string, params: unknown[]): Promise<readonly object[]>;
  /** Makes entries of tables invalid, named `schema.table`. As long as it rejects, it is called again with each look. */
  invalidate(tables: string[]): Promise<void>;
  /** Makes every entry invalid: what has changed is not known. */
  clear(): Promise<void>;
  /** Told once of each failure in a row; the follower goes on trying. Nobody else is. */
  failed?(error: unknown): void;
  /**
   * A name for entries that outlive this process, if they do, as those in Redis. Followers that give the same name must
   * invalidate the same entries: they share the work, and a new one goes on from where the others are instead of clearing.
   */
  readonly store?: string | undefined;
  /** A connection of its own (a `Client` of pg, connected) that hears of changes at once, with `notify: true`. It stays open. */
  readonly listener?: NotificationSource | undefined;
}

/** What a listener must have; a `Client` of pg does. */
export interface NotificationSource {
  query(sql: string): Promise<unknown>;
  on(event: 'notification', listener: (message: { channel: string }) => void): unknown;
  removeListener(event: 'notification', listener: (message: { channel: string }) => void): unknown;
}

/** Follows the change log until it is stopped. */
export interface Follower {
  /** Looks for changes now. Resolves when all that was committed before the call is invalid; rejects if it could not look. */
  poll(): Promise<void>;
  /** For how long changes may have gone unnoticed, in ms; `Infinity` before the first look. */
  readonly lag: number;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

/** How a follower goes about it. */
export interface FollowSettings extends ChangeLog {
  readonly interval: number;
  readonly retention: number;
}

/** What the query `look` finds. */
interface Seen {
  /** `null`: the server has started anew. */
  readonly boot: string | null;
  /** The same as long as no trigger comes, goes, or is disabled. */
  readonly triggers: string;
  readonly snapshot: string;
  /** Changes may have been pruned that were not seen. */
  readonly lost: boolean;
  /** The server's clock, in ms. */
  readonly clock: number;
  /** How old the position of the store is, in ms. */
  readonly savedFor: number | null;
  readonly tables: string[];
}

/** A state of the database that was seen. */
interface Mark {
  /** Every transaction below it had ended. */
  readonly xmin: string;
  readonly clock: number;
}

const BATCH = 10_000;
/** How often the triggers are checked, in ms. */
const CHECK_EVERY = 60_000;

/** {@link Follower}, begun. */
export function follow(settings: FollowSettings, context: FollowContext): Follower {
  return new LogFollower(settings, context);
}

class LogFollower implements Follower {
  readonly #settings: FollowSettings;
  readonly #context: FollowContext;
  readonly #queries: FollowerQueries;
  /** All changes that are visible in it have been dealt with. */
  #last: string | null = null;
  #boot: string | null = null;
  #triggers: string | undefined;
  #marks: Mark[] = [];
  #checkedAt = -Infinity;
  #missing = '[]';
  #looked = -Infinity;
  #failure: string | undefined;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(settings: FollowSettings, context: FollowContext) {
    this.#settings = settings;
    this.#context = context;
    this.#queries = followerQueries(settings.schema);
    const { listener } = context;
    if (listener !== undefined) {
      listener.on('notification', this.#heard);
      listener.query(`listen ${identifier(channelOf(settings.schema))}`).catch((error: unknown) => this.#failed(error));
    }
    this.#loop();
  }

  get lag(): number {
    return performance.now() - this.#looked;
  }

  poll(): Promise<void> {
    // One that is under way may have looked too early.
    this.#next ??= this.#running.then(async () => {
      this.#next = undefined;
      const turn = this.#turn();
      this.#running = turn.catch(() => undefined);
      await turn;
    });
    return this.#next;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const { listener } = this.#context;
    if (listener !== undefined) {
      listener.removeListener('notification', this.#heard);
      await listener.query(`unlisten ${identifier(channelOf(this.#settings.schema))}`).catch(() => undefined);
    }
    await this.#next?.catch(() => undefined);
    await this.#running;
  }

  readonly #heard = ({ channel }: { channel: string }): void => {
    if (channel === channelOf(this.#settings.schema)) {
      this.poll().catch(() => undefined);
    }
  };

  #loop(): void {
    void this.poll()
      .catch(() => undefined)
      .then(() => {
        if (!this.#stopped) {
          this.#timer = setTimeout(() => this.#loop(), this.#settings.interval).unref();
        }
      });
  }

  async #turn(): Promise<void> {
    if (this.#stopped) {
      return;
    }
    try {
      const seen = await this.#advance();
      this.#failure = undefined;
      if (seen !== undefined) {
        await this.#keepHouse(seen).catch((error: unknown) => this.#failed(error));
      }
    } catch (error) {
      const told = this.#explained(error);
      this.#failed(told);
      throw told;
    }
  }

  /** Deals with what has changed since the last time. */
  async #advance(): Promise<Seen | undefined> {
    const { store } = this.#context;
    // Twice in a row for a server that has started anew; more than that is a connection that leads to several servers.
    for (let round = 0; round < 4; round++) {
      const before = performance.now();
      const seen = await this.#ask<Seen>(this.#queries.look, [this.#last, store ?? null]);
      if (seen.boot === null) {
        await this.#context.query(this.#queries.begin, []);
      }
      if (seen.boot === null || (this.#boot !== null && this.#boot !== seen.boot)) {
        // Transaction ids from before mean nothing now.
        this.#last = null;
        this.#boot = null;
        this.#marks = [];
        continue;
      }
      if (this.#stopped) {
        return undefined;
      }
      const blind = this.#triggers !== undefined && this.#triggers !== seen.triggers;
      if (blind) {
        this.#checkedAt = -Infinity;
      }
      if (seen.lost || blind) {
        await this.#context.clear();
      } else if (seen.tables.length > 0) {
        await this.#context.invalidate(seen.tables);
      }
      this.#last = seen.snapshot;
      this.#boot = seen.boot;
      this.#triggers = seen.triggers;
      this.#looked = before;
      const worthSaving =
        seen.lost ||
        blind ||
        seen.tables.length > 0 ||
        seen.savedFor === null ||
        seen.savedFor > this.#settings.retention / 10 ||
        seen.savedFor < 0;
      if (store !== undefined && worthSaving) {
        await this.#context.query(this.#queries.save, [store, seen.snapshot, seen.triggers, seen.boot]);
      }
      return seen;
    }
    throw new ResultCacheError(
      'UNSEEN_WRITES',
      'externalWrites() has to follow one primary, but its connections lead to several servers in turn. Give it connections to the primary only.',
    );
  }

  async #keepHouse({ snapshot, clock, boot }: Seen): Promise<void> {
    const { retention } = this.#settings;
    if (clock - (this.#marks.at(-1)?.clock ?? -Infinity) >= retention / 4) {
      this.#marks.push({ xmin: snapshot.slice(0, snapshot.indexOf(':')), clock });
    }
    const old = this.#marks.findLast(mark => clock - mark.clock >= retention);
    if (old !== undefined) {
      this.#marks = this.#marks.filter(mark => mark.clock > old.clock);
      await this.#prune(old.xmin, boot!);
    }
    if (clock - this.#checkedAt >= CHECK_EVERY || clock < this.#checkedAt) {
      this.#checkedAt = clock;
      await this.#check();
    }
  }

  async #prune(xmin: string, boot: string): Promise<void> {
    // Announced first: a follower that finds rows gone finds that as well.
    await this.#context.query(this.#queries.announcePruning, [xmin, boot, xmin]);
    let count: unknown = BATCH;
    while (count === BATCH && !this.#stopped) {
      const [row] = await this.#context.query(this.#queries.prune, [xmin, BATCH]);
      count = Number((row as { count?: unknown } | undefined)?.count);
    }
  }

  async #check(): Promise<void> {
    const names = this.#settings.tables.map(qualified);
    const missing = await this.#ask<string[]>(this.#queries.unwatched, [JSON.stringify(names)]);
    const text = JSON.stringify(missing);
    if (missing.length > 0 && text !== this.#missing) {
      this.#context.failed?.(
        new ResultCacheError(
          'UNSEEN_WRITES',
          `externalWrites() needs its triggers on every table, partitions included, but these have none: ${missing.join(', ')}. ` +
            `Run up() again, or: select ${identifier(this.#settings.schema)}.watch('${missing[0]}').`,
        ),
      );
    }
    this.#missing = text;
  }

  /** The answer of a query that returns one JSON text, which no driver takes for something else. */
  async #ask<T>(sql: string, params: unknown[]): Promise<T> {
    const [row] = await this.#context.query(sql, params);
    return JSON.parse((row as { answer: string }).answer) as T;
  }

  #failed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (text !== this.#failure && !this.#stopped) {
      this.#failure = text;
      this.#context.failed?.(error);
    }
  }

  #explained(error: unknown): unknown {
    const code = (error as { code?: unknown } | null)?.code;
    return code === UNDEFINED_TABLE || code === UNDEFINED_FUNCTION || code === INVALID_SCHEMA
      ? new ResultCacheError(
          'UNSEEN_WRITES',
          `externalWrites() needs its change log in the schema '${this.#settings.schema}', but it is not there. Run up() in a migration.`,
          { cause: error },
        )
      : error;
  }
}

const UNDEFINED_TABLE = '42P01';
const UNDEFINED_FUNCTION = '42883';
const INVALID_SCHEMA = '3F000';
