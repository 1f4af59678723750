// What a user's own file may look like, compiled against the tarball with the declarations of libraries checked.
import {
  type CallSite,
  type CountedFinding,
  type FindingKind,
  OptionsError,
  queryTiming,
  type QueryRecord,
  type QueryTiming,
  QueryTimingError,
  type QueryTimingErrorCode,
  type QueryTimingOptions,
  type ScopeReport,
  type TimingReport,
} from '@mikrokit/query-timing';
import { type Dashboard, dashboard } from '@mikrokit/query-timing/dashboard';
import { fetchTiming, nodeTiming, type RequestTimingOptions, yogaTiming } from '@mikrokit/query-timing/http';
import { openTelemetry, traceTags } from '@mikrokit/query-timing/opentelemetry';
import { prometheus, type PrometheusExporter } from '@mikrokit/query-timing/prometheus';
import { assertQueries, ciReport, queriesOf, queryMatchers, recordQueries } from '@mikrokit/query-timing/vitest';
import { defineConfig, defineEntity, type EntityManager, MikroORM, p } from '@mikro-orm/postgresql';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { expect } from 'vitest';

const BookSchema = defineEntity({ name: 'Book', properties: { id: p.integer().primary(), title: p.string() } });
class Book extends BookSchema.class {}
BookSchema.setClass(Book);

const timing: QueryTiming = queryTiming({
  slow: { overall: 50, entities: [[Book, 20]] },
  nPlusOne: { threshold: 5, ignore: [/seed\.ts/] },
  plans: { mode: 'analyze', perMinute: 2 },
  advice: { verify: { clientUrl: 'postgres://localhost/copy' } },
  comments: { mode: 'full', application: 'library', tags: traceTags },
  terminal: false,
});

const config = defineConfig({ entities: [Book], clientUrl: 'postgres://localhost/library', extensions: [timing] });

export async function titles(): Promise<readonly string[]> {
  const orm = await MikroORM.init(config);
  const books = await timing.run({ name: 'titles', kind: 'job', tags: { job: 'titles' } }, () =>
    orm.em.fork().find(Book, {}),
  );
  await timing.settled();
  await orm.close();
  return books.map(({ title }) => title);
}

export const page: Dashboard = dashboard(timing, { authorize: ({ headers }) => headers.get('x-user') === 'admin' });
export const metrics: PrometheusExporter = prometheus(timing);
export const stopSpans: () => void = openTelemetry(timing, { spans: 'internal', metrics: false });

export const server = createServer(
  nodeTiming(timing, (request: IncomingMessage, response: ServerResponse) => page(request, response), {
    ignore: ({ url }) => url === '/health',
  }),
);
export const handler = fetchTiming(timing, () => new Response(), { name: ({ url }) => url });
export const plugin = yogaTiming(timing, { serverTiming: true });
export const options: RequestTimingOptions<{ user: string }> = { tags: ({ user }) => ({ user }) };

export async function queries(em: EntityManager): Promise<readonly string[]> {
  await assertQueries(timing, () => em.find(Book, {}), { exactly: 1, noNPlusOne: true });
  return queriesOf(await recordQueries(timing, () => em.find(Book, {})));
}

/** The matchers are typed by augmentation, which must reach a consumer as well. */
export async function matchers(em: EntityManager): Promise<void> {
  expect.extend(queryMatchers(timing));
  await expect(() => em.find(Book, {})).toRunQueries(1);
  await expect(() => em.find(Book, {})).not.toHaveNPlusOne();
  // @ts-expect-error a number of queries is a number
  await expect(() => em.find(Book, {})).toRunAtMost('5');
}

export const stop: () => void = timing.subscribe((record: QueryRecord) => {
  console.log(record.shape.text, record.took, record.site?.line);
});
timing.on('scope', (scope: ScopeReport) => console.log(scope.name, scope.queries));
timing.on('finding', ({ kind, title, fix }: CountedFinding) => console.log(kind, title, fix));

export function worst({ findings }: TimingReport): readonly [FindingKind, CallSite | undefined][] {
  ciReport(findings);
  return findings.map(({ kind, site }) => [kind, site]);
}

export function codeOf(error: unknown): QueryTimingErrorCode | undefined {
  return error instanceof QueryTimingError ? error.code : undefined;
}

export function isKnown(error: unknown): error is OptionsError {
  return error instanceof OptionsError;
}

// Options pass through as they are, undefined included.
export function withSlow(slow: QueryTimingOptions['slow']): QueryTiming {
  return queryTiming({ slow } satisfies QueryTimingOptions);
}

// @ts-expect-error an option that does not exist is caught by the compiler
queryTiming({ slowQueries: 50 });
