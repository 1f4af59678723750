import type { ProbeConnection } from './node.ts';
import { cannotTell, type Observation, observationOf, PLAIN_PROBE, PROBE } from './probe.ts';

/** Whom a monitor tells, and whom it asks how often to look. */
export interface MonitorHooks {
  /** @param at when it asked, in ms of `performance.now()` */
  observed(observation: Observation, rtt: number, at: number): void;
  missed(error: unknown): void;
  /** The database answers, but does not tell positions. */
  cannotTell(error: unknown): void;
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
  #text = PROBE;
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
    try {
      return { row: await connection.ask(this.#text), at };
    } catch (error) {
      if (this.#text === PLAIN_PROBE || !cannotTell(error)) {
        throw error;
      }
      this.#text = PLAIN_PROBE;
      this.#hooks.cannotTell(error);
      return { row: await connection.ask(this.#text), at };
    }
  }

  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
  }
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
