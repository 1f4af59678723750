import type { Operation } from './operation.ts';
import type { OpenQuery } from './open-query.ts';
import type { OpenScope } from './open-scope.ts';

/** What a piece of asynchronous work is part of. Never changed but for the query that is being sent. */
export class Context {
  readonly scope: OpenScope | undefined;
  readonly operation: Operation | undefined;
  /** For SQL comments. */
  readonly tags: Readonly<Record<string, string>> | undefined;
  /** Whether its repeats are on purpose (`withoutNPlusOne()`). */
  readonly quiet: boolean;
  /** What MikroORM has handed to its connection, and was not sent yet. */
  query: OpenQuery | undefined;
  /** Where it is sent next, if it has failed. */
  next: { readonly node: string; readonly route: string } | undefined = undefined;

  constructor(
    scope: OpenScope | undefined,
    operation: Operation | undefined,
    tags: Readonly<Record<string, string>> | undefined,
    quiet: boolean,
    query: OpenQuery | undefined,
  ) {
    this.scope = scope;
    this.operation = operation;
    this.tags = tags;
    this.quiet = quiet;
    this.query = query;
  }
}
