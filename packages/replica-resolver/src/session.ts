import { AsyncLocalStorage } from 'node:async_hooks';
import type { Consistency } from './consistency.ts';
import type { Lsn } from './lsn.ts';
import { mergeTokens, type Token } from './token.ts';

/** A position that a read has shown. */
export interface ReadPosition {
  readonly timeline: number;
  readonly lsn: Lsn;
}

/** What one session has written, was given and has read. An inner session knows what the outer one does, also later. */
export class Session {
  /** What its reads may miss, where they do not say. */
  readonly consistency: Consistency | undefined;
  /** The scope that it is in: hears of what is written here, and tells what it knows itself. */
  readonly #scope: Session | undefined;
  /** Hears of what is written, and tells nothing: the process. */
  readonly #process: Session | undefined;
  /** Written here: to be trusted. */
  #own: Token | undefined;
  #ownAt = Number.NEGATIVE_INFINITY;
  /** From outside: any of them may be forged, and a forged one must not take away another. The oldest first. */
  #given: readonly Token[] = [];
  #pinnedUntil = 0;
  #pinnedAt = 0;
  #wrote = false;
  #read: ReadPosition | undefined;
  #pending: Promise<void> | undefined;
  /** Tells the token store of what was written. Never rejects. */
  publish: (() => Promise<void>) | undefined;

  /** @param scope the session that it is opened in @param process the session of the process, where there is no scope */
  constructor(consistency?: Consistency, scope?: Session, process?: Session) {
    this.consistency = consistency;
    this.#scope = scope;
    this.#process = process;
  }

  /** What was written in this session or in one around it within the last `ttl` ms, by a clock that nobody puts forward. */
  own(ttl: number): Token | undefined {
    const own = performance.now() - this.#ownAt <= ttl ? this.#own : undefined;
    return this.#scope === undefined ? own : mergeTokens(own, this.#scope.own(ttl));
  }

  /** The furthest of what this session or one around it was given. */
  get given(): Token | undefined {
    return this.#given.reduce(mergeTokens, this.#scope?.given);
  }

  get wrote(): boolean {
    return this.#wrote;
  }

  /** The furthest that was read. */
  get read(): ReadPosition | undefined {
    const outer = this.#scope?.read;
    return outer !== undefined && (this.#read === undefined || isFurther(outer, this.#read)) ? outer : this.#read;
  }

  /** Until when only the primary is sure to show what was written, in ms of `performance.now()`. */
  get pinnedUntil(): number {
    return Math.max(this.#pinnedUntil, this.#scope?.pinnedUntil ?? 0);
  }

  /** When it was pinned, in ms since the epoch. */
  get pinnedAt(): number {
    return Math.max(this.#pinnedAt, this.#scope?.pinnedAt ?? 0);
  }

  /** What has to be known before the first read: the token of a store. Never rejects. */
  get pending(): Promise<void> | undefined {
    return this.#pending ?? this.#scope?.pending;
  }

  /** Its reads wait for `work`, which never rejects. */
  waitFor(work: Promise<void>): void {
    const pending = work.then(() => {
      if (this.#pending === pending) {
        this.#pending = undefined;
      }
    });
    this.#pending = pending;
  }

  /** A token from outside. */
  advance(token: Token): void {
    this.#given = [...this.#given.filter(given => !isSame(given, token)), token].slice(-MOST_GIVEN);
  }

  /** A token of somebody who has written for this session elsewhere. */
  received(token: Token): void {
    this.advance(token);
    this.#wrote = true;
    void this.publish?.();
    (this.#scope ?? this.#process)?.received(token);
  }

  /** A token that it was given is not to be believed, or says nothing any more. */
  forgetGiven(token: Token): void {
    this.#given = this.#given.filter(given => !isSame(given, token));
    this.#scope?.forgetGiven(token);
  }

  /** A commit that is known to have been made at or before `token`. */
  written(token: Token): Promise<void> | undefined {
    this.#own = mergeTokens(this.#own, token);
    this.#ownAt = performance.now();
    this.#wrote = true;
    return both((this.#scope ?? this.#process)?.written(token), this.publish?.());
  }

  /** A commit whose position is not known: until then only the primary is sure to show it. */
  pin(until: number, at: number, wrote: boolean): Promise<void> | undefined {
    this.#pinnedUntil = Math.max(this.#pinnedUntil, until);
    this.#pinnedAt = Math.max(this.#pinnedAt, at);
    this.#wrote ||= wrote;
    return wrote ? both((this.#scope ?? this.#process)?.pin(until, at, wrote), this.publish?.()) : undefined;
  }

  /** What a read has shown. */
  shown(position: ReadPosition): void {
    if (this.#read === undefined || isFurther(position, this.#read)) {
      this.#read = position;
    }
  }
}

/** More are not handed to one session, unless by somebody who tries what happens. */
const MOST_GIVEN = 8;

function isSame(a: Token, b: Token): boolean {
  return a.cluster === b.cluster && a.timeline === b.timeline && a.lsn === b.lsn;
}

function isFurther(a: ReadPosition, b: ReadPosition): boolean {
  return a.timeline > b.timeline || (a.timeline === b.timeline && a.lsn > b.lsn);
}

function both(a: Promise<void> | undefined, b: Promise<void> | undefined): Promise<void> | undefined {
  return a && b ? Promise.all([a, b]).then(() => undefined) : (a ?? b);
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

  /** A session in the current one. */
  open(consistency: Consistency | undefined): Session {
    const current = this.#storage.getStore();
    return new Session(consistency ?? current?.consistency, current?.session, this.#process);
  }

  run<T>(session: Session, fn: () => T): T {
    return this.#storage.run({ session, consistency: session.consistency }, fn);
  }

  runWith<T>(consistency: Consistency, fn: () => T): T {
    return this.#storage.run({ session: this.current, consistency }, fn);
  }
}
