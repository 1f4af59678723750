import type { EntityManager } from '@mikro-orm/postgresql';
import { IDS, Register, Tick, ticksOf, valueOf } from './registers.ts';

/** A register and the value that a read has found in it. */
export type Observation = readonly [register: string, value: number];

/** As MikroORM's `cache` option takes it. */
export type CacheOption = number | [name: string, ttl: number] | undefined;

/** One way to read registers; the same statement each time. */
export interface RegisterRead {
  readonly key: string;
  /** The registers it depends on. */
  readonly registers: readonly string[];
  run(em: EntityManager, cache: CacheOption): Promise<Observation[]>;
}

const cached = (cache: CacheOption): { cache?: NonNullable<CacheOption> } => (cache === undefined ? {} : { cache });

const byId = IDS.flatMap((id): RegisterRead[] => [
  {
    key: `one-${id}`,
    registers: [valueOf(id)],
    async run(em, cache) {
      const row = await em.findOne(Register, id, cached(cache));
      return [[valueOf(id), row?.value ?? 0]];
    },
  },
  {
    key: `pair-${id}`,
    registers: [valueOf(id), valueOf((id % IDS.length) + 1)],
    async run(em, cache) {
      const rows = await em.find(Register, { id: { $in: [id, (id % IDS.length) + 1] } }, cached(cache));
      return rows.map(row => [valueOf(row.id), row.value]);
    },
  },
  {
    key: `builder-${id}`,
    registers: [valueOf(id)],
    async run(em, cache) {
      const builder = em.createQueryBuilder(Register, 'r').select('r.value').where({ id });
      if (cache !== undefined) {
        builder.cache(cache);
      }
      const row = await builder.execute('get');
      return [[valueOf(id), row.value]];
    },
  },
  {
    key: `count-${id}`,
    registers: [ticksOf(id)],
    async run(em, cache) {
      return [[ticksOf(id), await em.count(Tick, { register: id }, cached(cache))]];
    },
  },
]);

const all: RegisterRead = {
  key: 'all',
  registers: IDS.map(valueOf),
  async run(em, cache) {
    const rows = await em.find(Register, { value: { $gte: 0 } }, { orderBy: { id: 'asc' }, ...cached(cache) });
    return rows.map(row => [valueOf(row.id), row.value]);
  },
};

export const READS: readonly RegisterRead[] = [...byId, all];

const single = READS.filter(({ key }) => key.startsWith('one-'));

/** One of them; what most applications do most of the time comes more often. */
export function anyRead(): RegisterRead {
  const list = Math.random() < 0.5 ? single : READS;
  return list[Math.floor(Math.random() * list.length)]!;
}
