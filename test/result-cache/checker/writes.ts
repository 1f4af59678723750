import { type EntityManager, LockMode, OptimisticLockError } from '@mikro-orm/postgresql';
import { IDS, Register, Tick, ticksOf, valueOf } from './registers.ts';
import type { Operation } from './write-watch.ts';

/** One way to write a register. `operation.planned` is told before the commit, of which the writer may not live to tell. */
export interface RegisterWrite {
  readonly name: string;
  readonly transaction: boolean;
  run(em: EntityManager, id: number, operation: Operation): Promise<void>;
}

/** Written and taken back: whoever reads it has read what was never committed. */
const DIRTY = -1_000_000;

/** The value now, and the plan to make it one more; by a statement that does so only if nobody has been faster. */
async function planned(em: EntityManager, id: number, operation: Operation): Promise<{ old: number; next: number }> {
  const { value: old } = await em.fork().findOneOrFail(Register, id, { connectionType: 'write', cache: false });
  operation.planned = [{ register: valueOf(id), value: old + 1 }];
  return { old, next: old + 1 };
}

/** Runs what ends by throwing {@link TakenBack}. */
async function rolledBack(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof TakenBack)) {
      throw error;
    }
  }
}

class TakenBack extends Error {}

export const WRITES: readonly RegisterWrite[] = [
  {
    name: 'nativeUpdate',
    transaction: false,
    async run(em, id, operation) {
      const { old, next } = await planned(em, id, operation);
      await em.nativeUpdate(Register, { id, value: old }, { value: next });
    },
  },
  {
    name: 'flush',
    transaction: true,
    async run(em, id, operation) {
      const row = await em.findOneOrFail(Register, id, { connectionType: 'write', cache: false });
      row.value += 1;
      operation.planned = [{ register: valueOf(id), value: row.value }];
      try {
        await em.flush();
      } catch (error) {
        if (!(error instanceof OptimisticLockError)) {
          throw error;
        }
        operation.changed = false;
      }
    },
  },
  {
    name: 'transaction with savepoints',
    transaction: true,
    async run(em, id, operation) {
      await em.transactional(async tx => {
        const row = await tx.findOneOrFail(Register, id, { lockMode: LockMode.PESSIMISTIC_WRITE });
        const next = row.value + 1;
        await rolledBack(() =>
          tx.transactional(async inner => {
            await inner.nativeUpdate(Register, { id }, { value: DIRTY });
            throw new TakenBack();
          }),
        );
        await tx.transactional(inner => inner.nativeUpdate(Register, { id }, { value: next }));
        operation.planned = [{ register: valueOf(id), value: next }];
      });
    },
  },
  {
    name: 'QueryBuilder',
    transaction: false,
    async run(em, id, operation) {
      const { old, next } = await planned(em, id, operation);
      await em.createQueryBuilder(Register).update({ value: next }).where({ id, value: old }).execute();
    },
  },
  {
    name: 'raw SQL',
    transaction: false,
    async run(em, id, operation) {
      const { old, next } = await planned(em, id, operation);
      await em.execute('update register set value = ? where id = ? and value = ?', [next, id, old]);
    },
  },
  {
    name: 'raw SQL, written in a CTE',
    transaction: false,
    async run(em, id, operation) {
      const { old, next } = await planned(em, id, operation);
      await em.execute(
        'with changed as (update register set value = ? where id = ? and value = ? returning id) select id from changed',
        [next, id, old],
      );
    },
  },
  {
    name: 'Kysely',
    transaction: false,
    async run(em, id, operation) {
      const { old, next } = await planned(em, id, operation);
      await em
        .getKysely<{ register: { id: number; value: number } }>()
        .updateTable('register')
        .set({ value: next })
        .where('id', '=', id)
        .where('value', '=', old)
        .execute();
    },
  },
  {
    name: 'insert',
    transaction: false,
    async run(em, id, operation) {
      operation.planned = [{ register: ticksOf(id), value: undefined }];
      await em.insert(Tick, { register: id });
    },
  },
  {
    name: 'a row and a count at once',
    transaction: true,
    async run(em, id, operation) {
      const other = (id % IDS.length) + 1;
      await em.transactional(async tx => {
        const row = await tx.findOneOrFail(Register, id, { lockMode: LockMode.PESSIMISTIC_WRITE });
        row.value += 1;
        tx.create(Tick, { register: other });
        operation.planned = [
          { register: valueOf(id), value: row.value },
          { register: ticksOf(other), value: undefined },
        ];
      });
    },
  },
  {
    name: 'rolled back',
    transaction: true,
    async run(em, id, operation) {
      operation.changed = false;
      await rolledBack(() =>
        em.transactional(async tx => {
          await tx.nativeUpdate(Register, { id }, { value: DIRTY });
          throw new TakenBack();
        }),
      );
    },
  },
];
