import type { Policy } from './policy.ts';
import type { ReadFamily } from './read-ahead.ts';

/** One read that may be answered by an entry. */
export interface CachedRead<T> {
  /** Class name, for events. */
  readonly entity: string;
  readonly registry: string;
  readonly key: string;
  /** As the store calls them. */
  readonly tags: readonly string[];
  readonly policy: Policy;
  /** The call that it is part of, with what that populates. */
  readonly family: ReadFamily | undefined;
  /** Set by `load()`: whether its rows may be kept. */
  keep: boolean;
  /** Reads the database, on the primary, for this call. Its result is encoded before anybody else can change it. */
  load(): Promise<T>;
  /** The same for nobody in particular: outside the call's transaction, not aborted with it. */
  loadDetached(): Promise<T>;
}
