import type { EntityManager } from '@mikro-orm/core';
import type { Template } from './random-reads.ts';
import { entities } from './random-conditions.ts';

/** Something that happened on the fork before a window, in its transaction. */
export interface Write {
  readonly name: string;
  run(em: EntityManager): Promise<void>;
  /** Reads that MikroORM alone, too, shows it to: it flushes before a read of the entity, not of others that join it. */
  reads(template: Template): boolean;
}

const Book = entities['Book']!;
const Sample = entities['Sample']!;

const isRead =
  (entity: string) =>
  (template: Template): boolean =>
    template.entity === entity;

export const WRITES: readonly Write[] = [
  {
    name: 'nativeUpdate',
    async run(em) {
      await em.nativeUpdate(Sample, { id: { $lt: 20 } } as never, { indexed: 2, name: 'plain' } as never, {
        filters: false,
      });
    },
    reads: () => true,
  },
  {
    name: 'nativeDelete',
    async run(em) {
      await em.nativeDelete(entities['Loan']!, { borrower: [1, 2, 3] } as never);
    },
    reads: () => true,
  },
  {
    name: 'changed entity',
    async run(em) {
      const book = (await em.findOneOrFail(Book, 3 as never, { filters: false })) as { pages: number };
      book.pages = 77;
      // Says so to MikroORM, which else does not look at it before a read.
      em.persist(book);
    },
    reads: isRead('Book'),
  },
  {
    name: 'persisted entity',
    async run(em) {
      em.persist(
        em.create(Sample, { id: 900, tenant: 1, indexed: 1, name: `it's ?`, whole: 2, shelf: ['A', 1] } as never),
      );
    },
    reads: isRead('Sample'),
  },
  {
    name: 'removed entity',
    async run(em) {
      em.remove(await em.findOneOrFail(entities['Toy']!, 4 as never, { filters: false }));
    },
    reads: isRead('Toy'),
  },
];
