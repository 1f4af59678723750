import { redisTokenStore } from '@mikrokit/replica-resolver';
import { fetchTokens } from '@mikrokit/replica-resolver/http';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { startRedis } from '../harness/redis.ts';
import { openReplicated, type Replicated, type ReplicatedOrm } from './fixtures/open-replicated.ts';
import { Author, entities, fill } from './fixtures/shelf.ts';

/*
 * Two processes of one application, on real replicas that stand still: what a client wrote by way of the first, it reads by
 * way of the second. The two know of each other what the client carries, or the store, and nothing else.
 */

let servers: Replicated;
beforeAll(async () => {
  servers = await openReplicated();
  const { orm } = await servers.open({ entities });
  await orm.schema.create();
  await fill(orm.em.fork());
  await servers.cluster.caughtUp();
}, 120_000);

type Handler = (request: Request) => Promise<Response>;

/** POST writes an author of that name, GET counts those. */
function application({ orm, resolver }: ReplicatedOrm, key?: string): Handler {
  const handler = async (request: Request): Promise<Response> => {
    const em = orm.em.fork();
    const [, id, name] = new URL(request.url).pathname.split('/');
    if (request.method === 'POST') {
      await em.insert(Author, { id: Number(id), name: name! });
      return new Response();
    }
    return new Response(`${await em.count(Author, { name: name! })}`);
  };
  return fetchTokens(resolver, handler, key === undefined ? {} : { key: () => key });
}

async function counted(handler: Handler, path: string, cookie?: string): Promise<string> {
  const headers = cookie === undefined ? {} : { cookie };
  return await (await handler(new Request(`http://a${path}`, { headers }))).text();
}

test('by cookie: also when one of two replicas has caught up and the other has not (GitLab 413203)', async () => {
  const writes = application(await servers.open({ entities }));
  const reads = application(await servers.open({ entities }));
  await servers.pause();
  onTestFinished(() => servers.resume());
  const answer = await writes(new Request('http://a/10/cookie', { method: 'POST' }));
  const cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!;
  expect(await counted(reads, '/10/cookie')).toBe('0'); // Somebody else, who may be behind.
  expect(await counted(reads, '/10/cookie', cookie)).toBe('1');
  await servers.cluster.replicas[0]!.query('select pg_wal_replay_resume()');
  for (let n = 0; n < 20; n++) {
    expect(await counted(reads, '/10/cookie', cookie)).toBe('1');
  }
});

test('by the store, without a cookie; and when the store has failed, on the primary', async () => {
  await using redis = await startRedis({ args: [] });
  const options = (): { tokenStore: ReturnType<typeof redisTokenStore> } => ({
    tokenStore: redisTokenStore(redis.client(), { timeout: 2_000 }),
  });
  const writes = application(await servers.open({ entities, resolver: options() }), 'ann');
  const reader = await servers.open({ entities, resolver: options() });
  await servers.pause();
  onTestFinished(() => servers.resume());
  await writes(new Request('http://a/11/store', { method: 'POST' }));
  expect(await counted(application(reader, 'ben'), '/11/store')).toBe('0');
  expect(await counted(application(reader, 'ann'), '/11/store')).toBe('1');
  await redis.signal('SIGSTOP');
  expect(await counted(application(reader, 'ben'), '/11/store')).toBe('1');
  await redis.signal('SIGCONT');
}, 60_000);
