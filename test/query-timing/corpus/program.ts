import type { EntityManager } from '@mikro-orm/postgresql';
import type { FindingKind } from '@mikrokit/query-timing';

/** A small program, and what it is. */
export interface Program {
  readonly name: string;
  /** `undefined`: nothing is to be found in it. */
  readonly truth: Truth | undefined;
  /** With `batchLoader()` beside, or with MikroORM's own `dataloader`. @default neither */
  readonly with?: 'batchLoader' | 'dataloader';
  run(em: EntityManager): Promise<unknown>;
}

/** What is wrong with it. */
export interface Truth {
  readonly kind: Extract<FindingKind, 'n+1' | 'mn+1' | 'duplicate' | 'write-loop'>;
  /** What its fix says. */
  readonly fix: string;
  /** Whether the rows prove it, and in which column. */
  readonly proved?: string;
  /** The entity whose rows led to it. */
  readonly parent?: string;
}
