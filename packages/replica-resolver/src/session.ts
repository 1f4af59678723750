import { AsyncLocalStorage } from 'node:async_hooks';
import type { Consistency } from './consistency.ts';
import type { Lsn } from './lsn.ts';
import { mergeTokens, type Token } from './token.ts';

/** A position that a read has shown. */
export interface ReadPosition {
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** What one session has written, was given and has read. */
export class Session {
  readonly consistency: Consistency | undefined;
  /** Hears of what is written: the scope that this one is in. */
  readonly #outer: Session | undefined;
  #token: Token | undefined;
  #pinnedUntil = 0;
  #pinnedAt = 0;
  #wrote = false;
  #read: ReadPosition | undefined;
  /** What has to be known before the first read: the token of a store. Never rejects. */
  pending: Promise<void> | undefined;
  /** Tells the token store of what was written. Never rejects. */
  publish: (() => Promise<void>) | undefined;

  constructor(outer?: Session, consistency?: Consistency) {
    this.#outer = outer;
    this.consistency = consistency;
  }

  get token(): Token | undefined {
    return this.#token;
  }

  get wrote(): boolean {
    return this.#wrote;
  }

  get read(): ReadPosition | undefined {
    return this.#read;
  }

  /** Until when only the primary is sure to show what was written, in ms of `performance.now()`. */
  get pinnedUntil(): number {
    return this.#pinnedUntil;
  }

  /** When it was pinned, in ms since the epoch. */
  get pinnedAt(): number {
    return this.#pinnedAt;
  }

  /** A token from outside. */
  advance(token: Token): void {
    this.#token = mergeTokens(this.#token, token);
  }

  /** A token of somebody who has written for this session elsewhere. */
  received(token: Token): void {
    this.advance(token);
    this.#wrote = true;
    void this.publish?.();
    this.#outer?.received(token);
  }

  forgetToken(): void {
    this.#token = undefined;
  }

  /** A commit that is known to have been made at or before `token`. */
  written(token: Token): Promise<void> | undefined {
    this.#token = mergeTokens(this.#token, token);
    this.#wrote = true;
    const outer = this.#outer?.written(token);
    const published = this.publish?.();
    return outer && published ? Promise.all([outer, published]).then(() => undefined) : (outer ?? published);
  }

  /** A commit whose position is not known: until then only the primary is sure to show it. */
  pin(until: number, at: number, wrote: boolean): Promise<void> | undefined {
    this.#pinnedUntil = Math.max(this.#pinnedUntil, until);
    this.#pinnedAt = Math.max(this.#pinnedAt, at);
    this.#wrote ||= wrote;
    const outer = wrote ? this.#outer?.pin(until, at, wrote) : undefined;
    const published = wrote ? this.publish?.() : undefined;
    return outer && published ? Promise.all([outer, published]).then(() => undefined) : (outer ?? published);
  }

  /** What a read has shown. */
  shown(position: ReadPosition): void {
    const read = this.#read;
    if (
      read === undefined ||
      position.timeline > read.timeline ||
      (position.timeline === read.timeline && position.lsn > read.lsn)
    ) {
      this.#read = position;
    }
  }
}

interface Current {
  readonly session: Session;
  readonly consistency: Consistency | undefined;
}

/** Which session is whose: that of the scope, or outside any the process's own. */
export class Sessions {
  readonly #storage = new AsyncLocalStorage<Current>();
  /** A script has no scope and yet reads what it has written. */
  readonly #process = new Session();

  get current(): Session {
    return this.#storage.getStore()?.session ?? this.#process;
  }

  /** The consistency of the scope, or of the part of it that is running. */
  get consistency(): Consistency | undefined {
    return this.#storage.getStore()?.consistency;
  }

  /** A session in the current one: it knows what that has written. */
  open(consistency: Consistency | undefined): Session {
    const current = this.#storage.getStore();
    const session = new Session(current?.session ?? this.#process, consistency ?? current?.consistency);
    const outer = current?.session;
    if (outer?.token !== undefined) {
      session.advance(outer.token);
    }
    if (outer !== undefined) {
      void session.pin(outer.pinnedUntil, outer.pinnedAt, false);
      if (outer.read !== undefined) {
        session.shown(outer.read);
      }
      session.pending = outer.pending;
    }
    return session;
  }

  run<T>(session: Session, fn: () => T): T {
    return this.#storage.run({ session, consistency: session.consistency }, fn);
  }

  runWith<T>(consistency: Consistency, fn: () => T): T {
    return this.#storage.run({ session: this.current, consistency }, fn);
  }
}
