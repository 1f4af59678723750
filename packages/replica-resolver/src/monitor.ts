import type { ProbeConnection } from './node.ts';
import {
  cannotTell,
  ISOLATION_PROBE,
  isUnsupported,
  type Observation,
  observationOf,
  PLAIN_PROBE,
  PROBE,
} from './probe.ts';

/** A database that does not tell positions is asked for them again after this, in ms: somebody may have granted it. */
const ASK_AGAIN = 60_000;

/** Whom a monitor tells, and whom it asks how often to look. */
export interface MonitorHooks {
  /** @param at when it asked, in ms of `performance.now()` */
  observed(observation: Observation, rtt: number, at: number): void;
  missed(error: unknown): void;
  /** The database answers, but does not tell positions; `undefined`: it does. */
  cannotTell(error: unknown): void;
  /**
   * It is a standby where transactions are serializable by default: it answers on connections that are not.
   * @returns whether that is news, so that another connection may help
   */
  serializable(): boolean;
  /** Until the next beat, in ms. */
  interval(): number;
  /** How long a beat may take, in ms. */
  timeout(): number;
  openProbe(lost: () => void): ProbeConnection;
}

/** A beat that took too long. */
export class ProbeTimeout extends Error {
  override readonly name = 'ProbeTimeout';
}

/** Looks at one node, again and again, on a connection of its own. It keeps no process alive. */
export class Monitor {
  readonly #hooks: MonitorHooks;
  #connection: ProbeConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  /** The look after the one that is under way. */
  #next: Promise<void> | undefined;
  /** Until when it is asked the plain question. */
  #plainUntil = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(hooks: MonitorHooks) {
    this.#hooks = hooks;
  }

  /** Looks now. @returns resolves when it has looked; a look that is under way counts */
  wake(): Promise<void> {
    if (this.#stopped) {
      return Promise.resolve();
    }
    clearTimeout(this.#timer);
    if (this.#beating === undefined) {
      this.#next = undefined;
      this.#beating = this.#beat().finally(() => {
        this.#beating = undefined;
        if (!this.#stopped) {
          this.#timer = setTimeout(() => void this.wake(), this.#hooks.interval()).unref();
        }
      });
    }
    return this.#beating;
  }

  /**
   * Looks now, in a look that begins after this call: one that is under way may have its answer on the way already, which
   * says nothing of what was written since. Whoever asks before it begins shares it.
   */
  fresh(): Promise<void> {
    if (this.#beating === undefined) {
      return this.wake();
    }
    this.#next ??= this.#beating.then(() => this.wake());
    return this.#next;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#drop();
  }

  async #beat(): Promise<void> {
    try {
      const { row, at } = await within(this.#hooks.timeout(), () => this.#ask());
      if (!this.#stopped) {
        this.#hooks.observed(observationOf(row), performance.now() - at, at);
      }
    } catch (error) {
      this.#drop();
      if (!this.#stopped) {
        this.#hooks.missed(error);
      }
    }
  }

  async #ask(): Promise<{ row: Record<string, unknown>; at: number }> {
    this.#connection ??= this.#hooks.openProbe(() => {
      // The server has ended it: it may be gone, and somebody should look.
      this.#drop();
      void this.wake();
    });
    const connection = this.#connection;
    await connection.connected();
    const at = performance.now();
    if (at < this.#plainUntil) {
      return { row: await connection.ask(PLAIN_PROBE), at };
    }
    try {
      const row = await connection.ask(PROBE);
      this.#hooks.cannotTell(undefined);
      return { row, at };
    } catch (error) {
      if (!cannotTell(error)) {
        throw error;
      }
      if (isUnsupported(error) && (await isSerializable(connection)) && this.#hooks.serializable()) {
        this.#drop();
        return await this.#ask();
      }
      this.#plainUntil = at + ASK_AGAIN;
      this.#hooks.cannotTell(error);
      return { row: await connection.ask(PLAIN_PROBE), at };
    }
  }

  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
  }
}

async function isSerializable(connection: ProbeConnection): Promise<boolean> {
  const row = await connection.ask(ISOLATION_PROBE);
  return row['default_transaction_isolation'] === 'serializable';
}

/** Rejects after `ms`, but not for what has arrived already and was not looked at: the process may have been busy. */
async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(new ProbeTimeout(`The probe was not answered within ${ms} ms.`));
    timer = setTimeout(() => setImmediate(() => setImmediate(fail)), ms).unref();
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
