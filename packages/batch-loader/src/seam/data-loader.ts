import type { AnyCollection, Entity, LoadOptions } from './entity.ts';
import type { Loaders } from './takeover.ts';

/** What MikroORM asks for a load, in place of its own DataLoader. */
export interface LoaderFacade {
  load(call: [it: unknown, options: LoadOptions]): Promise<unknown>;
}

/** By the type that `em.getDataLoader()` is asked for. */
export type Facades = Readonly<Record<'ref' | '1:m' | 'm:n' | 'count', Promise<LoaderFacade>>>;

export function createFacades(loaders: Loaders): Facades {
  const collection = Promise.resolve<LoaderFacade>({
    load: ([it, options]) => loaders.collection(it as AnyCollection, options),
  });
  return {
    ref: Promise.resolve<LoaderFacade>({
      load: ([it, options]) => loaders.reference((it as { unwrap(): Entity }).unwrap(), options),
    }),
    '1:m': collection,
    'm:n': collection,
    count: Promise.resolve<LoaderFacade>({ load: ([it, options]) => loaders.count(it as AnyCollection, options) }),
  };
}
