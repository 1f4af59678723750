import type { MikroORM } from '@mikro-orm/core';
import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import {
  type Candidate,
  type CommitOutcomeUnknownError,
  type Consistency,
  redisTokenStore,
  type ReplicaResolver,
  replicaResolver,
  type ReplicaResolverError,
  type ReplicaResolverErrorCode,
  type ReplicaResolverOptions,
  type ResolverEvents,
  type RouteEvent,
  type RouteReason,
  type Snapshot,
  type TokenRejection,
  type TokenStore,
} from '@mikrokit/replica-resolver';
import {
  expressTokens,
  fastifyTokens,
  fetchTokens,
  honoTokens,
  nodeTokens,
  readToken,
  tokenHeaders,
  yogaTokens,
} from '@mikrokit/replica-resolver/http';
import express, { type Request as ExpressRequest } from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import { createYoga } from 'graphql-yoga';
import { type Context, Hono } from 'hono';
import { Cluster, Redis } from 'ioredis';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { expectTypeOf } from 'vitest';

/*
 * Checked by `tsc -p test`; never run. A type that is wrong fails to compile, and so does a `@ts-expect-error` above a line
 * that is right.
 */

const Visit = defineEntity({ name: 'Visit', properties: { id: p.integer().primary(), city: p.string() } });

/** The factory and its options. */
export function options(orm: MikroORM, store: TokenStore): void {
  expectTypeOf(replicaResolver()).toEqualTypeOf<ReplicaResolver>();
  expectTypeOf(replicaResolver).parameter(0).toEqualTypeOf<ReplicaResolverOptions | undefined>();
  expectTypeOf(replicaResolver().register(orm)).toEqualTypeOf<void>();
  // Options that come from somewhere else may be undefined, also under exactOptionalPropertyTypes.
  replicaResolver({
    maxLag: undefined,
    secret: undefined,
    tokenStore: undefined,
    topology: undefined,
    pool: undefined,
  });
  replicaResolver({ tokenStore: store, topology: { dns: '_postgresql._tcp.example.com' } });
  replicaResolver({ topology: () => [{ host: 'replica-1', weight: 2 }] });
  // @ts-expect-error: it has no such option
  replicaResolver({ maxLags: 1 });
  // @ts-expect-error: it is one of three
  replicaResolver({ onNoReplica: 'wait' });
  // @ts-expect-error: a node has a host
  replicaResolver({ topology: async () => [{ port: 5432 }] });
  // @ts-expect-error: pools have the words of pg-pool
  replicaResolver({ pool: { size: 5 } });
}

export function strategies(): void {
  replicaResolver({ strategy: 'round-robin' });
  replicaResolver({
    strategy(candidates) {
      expectTypeOf(candidates).toEqualTypeOf<readonly Candidate[]>();
      return candidates.find(({ zone }) => zone === 'eu-1a');
    },
  });
  // @ts-expect-error: it chooses at once
  replicaResolver({ strategy: async candidates => candidates[0] });
}

export function stores(): void {
  expectTypeOf(redisTokenStore(new Redis())).toEqualTypeOf<TokenStore>();
  expectTypeOf(redisTokenStore(new Cluster([]), { timeout: 50 })).toEqualTypeOf<TokenStore>();
  // @ts-expect-error: a client is not a store
  replicaResolver({ tokenStore: new Redis() });
  // @ts-expect-error: a store takes a client, not its address
  redisTokenStore('redis://localhost');
}

/** What every read takes. */
export async function reads(em: EntityManager): Promise<void> {
  expectTypeOf<Consistency>().toEqualTypeOf<
    'session' | 'monotonic' | 'strong' | 'eventual' | { readonly bounded: number }
  >();
  const visits = await em.find(Visit, {}, { consistency: { bounded: 1_000 } });
  expectTypeOf(visits[0]!.city).toBeString();
  await em.findOne(Visit, 1, { consistency: 'monotonic' });
  await em.findAll(Visit, { consistency: 'strong' });
  await em.findAndCount(Visit, {}, { consistency: 'eventual' });
  await em.findByCursor(Visit, { consistency: 'session', orderBy: { id: 'asc' }, first: 1 });
  await em.count(Visit, {}, { consistency: undefined });
  // @ts-expect-error: there is no such consistency
  await em.find(Visit, {}, { consistency: 'weak' });
  // @ts-expect-error: bounded by ms
  await em.count(Visit, {}, { consistency: { bounded: '1 s' } });
}

/** The handles. */
export async function handles(resolver: ReplicaResolver): Promise<void> {
  expectTypeOf(resolver.run({}, () => 1)).toBeNumber();
  expectTypeOf(resolver.run({ token: null, key: undefined }, async () => 'a')).toEqualTypeOf<Promise<string>>();
  expectTypeOf(resolver.withConsistency('strong', () => 1)).toBeNumber();
  expectTypeOf(resolver.token()).toEqualTypeOf<string | undefined>();
  expectTypeOf(resolver.wrote()).toBeBoolean();
  expectTypeOf(resolver.snapshot()).toEqualTypeOf<Snapshot>();
  expectTypeOf(resolver.ready(1_000)).toEqualTypeOf<Promise<void>>();
  resolver.advance(resolver.token());
  // @ts-expect-error: a token is a text
  resolver.advance(7n);
}

export function events(resolver: ReplicaResolver, route: RouteEvent): void {
  expectTypeOf(
    resolver.on('primary.changed', event => {
      expectTypeOf(event).toEqualTypeOf<ResolverEvents['primary.changed']>();
      expectTypeOf(event.from).toEqualTypeOf<string | undefined>();
    }),
  ).toEqualTypeOf<() => void>();
  resolver.on('token.rejected', ({ why }) => expectTypeOf(why).toEqualTypeOf<TokenRejection>());
  // @ts-expect-error: there is no such event
  resolver.on('node.lost', () => {});
  expectTypeOf(route.reason).toEqualTypeOf<RouteReason>();
}

/** Each framework takes what is made for it, and the functions in the options know its request. */
export async function middleware(resolver: ReplicaResolver): Promise<void> {
  const key = (request: ExpressRequest): string | undefined => request.get('x-user');
  express().use(expressTokens(resolver));
  express().use(expressTokens(resolver, { key }));
  await fastify().register(fastifyTokens(resolver, { key: (request: FastifyRequest) => request.ip }));
  new Hono().use(honoTokens(resolver, { consistency: (c: Context) => (c.req.path === '/' ? 'eventual' : undefined) }));
  createYoga({ plugins: [yogaTokens(resolver, { key: request => request.headers.get('x-user') ?? undefined })] });
  createServer(
    nodeTokens(resolver, (request: IncomingMessage, response: ServerResponse) => void response.end(request.url)),
  );
  const handler = fetchTokens(resolver, (request, env: { name: string }) => new Response(request.url + env.name));
  expectTypeOf(handler).toEqualTypeOf<(request: Request, env: { name: string }) => Promise<Response>>();
  expectTypeOf(readToken(new Headers())).toEqualTypeOf<string | undefined>();
  expectTypeOf(tokenHeaders(resolver)).toEqualTypeOf<Record<string, string>>();
  // @ts-expect-error: what it is not given it cannot tell apart
  expressTokens(resolver, { keys: () => 'a' });
}

export function errors(refused: ReplicaResolverError, unknown: CommitOutcomeUnknownError): void {
  expectTypeOf(refused.code).toEqualTypeOf<ReplicaResolverErrorCode>();
  expectTypeOf(refused.retryable).toBeBoolean();
  expectTypeOf(unknown).toExtend<ReplicaResolverError>();
  expectTypeOf(unknown.transactionId).toEqualTypeOf<string | undefined>();
}
