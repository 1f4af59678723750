// What a user's own file may look like, compiled against the tarball with the declarations of libraries checked.
import {
  type Candidate,
  CommitOutcomeUnknownError,
  type Consistency,
  type NodeSnapshot,
  OptionsError,
  redisTokenStore,
  type ReplicaResolver,
  replicaResolver,
  ReplicaResolverError,
  type ReplicaResolverErrorCode,
  type ReplicaResolverOptions,
  type ResolverEvents,
  type RouteEvent,
  type Snapshot,
  type TokenStore,
  TokenStoreError,
} from '@mikrokit/replica-resolver';
import {
  fetchTokens,
  nodeTokens,
  readToken,
  tokenHeaders,
  type TokenOptions,
  yogaTokens,
} from '@mikrokit/replica-resolver/http';
import { defineConfig, defineEntity, type EntityManager, MikroORM, p } from '@mikro-orm/postgresql';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Redis } from 'ioredis';

const VisitSchema = defineEntity({ name: 'Visit', properties: { id: p.integer().primary(), city: p.string() } });
class Visit extends VisitSchema.class {}
VisitSchema.setClass(Visit);

const redis = new Redis({ enableOfflineQueue: false, maxRetriesPerRequest: 1, lazyConnect: true });
const resolver: ReplicaResolver = replicaResolver({
  tokenStore: redisTokenStore(redis, { prefix: 'shop:' }),
  nodes: { 'replica-1': { weight: 2, zone: 'eu-1a', pool: { max: 5 } } },
  topology: async () => [{ host: 'replica-2', port: 5433 }],
  strategy: (candidates: readonly Candidate[]) => candidates[0],
});

const config = defineConfig({
  entities: [Visit],
  clientUrl: 'postgres://localhost/atlas',
  replicas: [{ name: 'replica-1', host: 'replica-1' }],
  extensions: [resolver],
});

/** `consistency` is typed by augmentation, which must reach a consumer as well. */
export async function cities(): Promise<string[]> {
  const orm = await MikroORM.init(config);
  await resolver.ready();
  const visits = await orm.em.fork().find(Visit, {}, { consistency: { bounded: 1_000 }, orderBy: { id: 'asc' } });
  const one = await orm.em.fork().findOneOrFail(Visit, 1, { consistency: 'monotonic' });
  const count = await orm.em.fork().count(Visit, {}, { consistency: 'strong' });
  await orm.close();
  return [...visits, one].slice(0, count).map(visit => visit.city);
}

// @ts-expect-error a consistency that does not exist is caught by the compiler
export const wrong = (em: EntityManager): Promise<Visit[]> => em.find(Visit, {}, { consistency: 'weak' });

export async function job(em: EntityManager, token: string | undefined): Promise<string | undefined> {
  return await resolver.run({ token, consistency: 'session', key: 'user 7' }, async () => {
    await em.insert(Visit, { id: 1, city: 'Oslo' });
    resolver.advance(readToken(await fetch('http://localhost', { headers: tokenHeaders(resolver) })));
    return resolver.wrote() ? resolver.token() : undefined;
  });
}

export const server = createServer(
  nodeTokens(resolver, (_: IncomingMessage, response: ServerResponse) => void response.end()),
);
export const handler = fetchTokens(resolver, () => new Response(), { cookie: false, key: request => request.url });
export const plugin = yogaTokens(resolver, { header: false });
export const options: TokenOptions<{ user: string }> = { key: request => request.user };

export function health(): readonly NodeSnapshot[] {
  const snapshot: Snapshot = resolver.snapshot();
  resolver.drain('replica-1');
  resolver.undrain('replica-1');
  return snapshot.nodes;
}

export const stop: () => void = resolver.on('node.state', (event: ResolverEvents['node.state']) => {
  console.log(event.node, event.to);
});

export function describeRoute({ node, reason }: RouteEvent): string {
  return `${node}: ${reason}`;
}

export function codeOf(error: unknown): ReplicaResolverErrorCode | undefined {
  return error instanceof ReplicaResolverError ? error.code : undefined;
}

export function transactionOf(error: unknown): string | undefined {
  return error instanceof CommitOutcomeUnknownError ? error.transactionId : undefined;
}

export function isKnown(error: unknown): error is OptionsError | TokenStoreError {
  return error instanceof OptionsError || error instanceof TokenStoreError;
}

// Options pass through as they are, undefined included.
export function withConsistency(consistency: Consistency | undefined, tokenStore?: TokenStore): ReplicaResolver {
  return replicaResolver({ consistency, tokenStore } satisfies ReplicaResolverOptions);
}

// @ts-expect-error and so is an option
replicaResolver({ maxLags: 1 });
