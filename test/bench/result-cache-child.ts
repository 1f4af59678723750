// One of the processes that miss the same entry at the same moment: node … <database url> <redis url>
import { redisStore, resultCache } from '@mikrokit/result-cache';
import { Redis } from 'ioredis';
import { createOrm } from '../harness/orm-plain.ts';
import { recordQueries } from '../harness/recorder.ts';
import { Article, entities } from './result-cache-model.ts';

const [, , url, redisUrl] = process.argv;
const client = new Redis(redisUrl!, { maxRetriesPerRequest: 1 });
const orm = await createOrm({
  url: url!,
  entities,
  extensions: [resultCache({ store: redisStore(client, { grace: 1 }), timeout: 1_000 })],
});
// Connected, and the registry made, before it begins.
await orm.em.fork().count(Article, {}, { cache: 60_000 });
const recorder = recordQueries(orm);
process.once('message', () => {
  const reads = Array.from({ length: 50 }, () =>
    orm.em.fork().find(Article, { section: 7 }, { orderBy: { score: 'desc' }, limit: 100, cache: 60_000 }),
  );
  void Promise.all(reads).then(() => process.send!(recorder.take().length));
});
process.send!('ready');
