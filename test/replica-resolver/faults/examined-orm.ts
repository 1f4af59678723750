import type { MikroORM } from '@mikro-orm/postgresql';
import { replicaResolver, type ReplicaResolver, type ReplicaResolverOptions } from '@mikrokit/replica-resolver';
import { closeAfter } from '../../harness/close-after.ts';
import { createOrm, type OrmOptions } from '../../harness/orm-plain.ts';
import { Entry, Register, SlowRegister } from './registers.ts';
import type { World } from './world.ts';

export interface ExaminedOrm {
  readonly orm: MikroORM;
  readonly resolver: ReplicaResolver;
}

/** A MikroORM with the resolver, connected to all nodes through their proxies; closed by vitest. */
export async function openExamined(
  world: World,
  database: string,
  options: ReplicaResolverOptions = {},
  ormOptions: Partial<OrmOptions> = {},
): Promise<ExaminedOrm> {
  const resolver = replicaResolver(options);
  const orm = await createOrm({
    url: world.primary.proxy.url(database),
    entities: [Register, SlowRegister, Entry],
    replicas: world.replicas.map(({ name, proxy }) => ({ name, clientUrl: proxy.url(database) })),
    extensions: [resolver],
    ...ormOptions,
  });
  closeAfter(() => orm.close(true));
  await resolver.ready();
  return { orm, resolver };
}
