import type { RequestListener } from 'node:http';
import { GraphQLError, type ExecutionResult } from 'graphql';
import type { MikroORM } from '@mikro-orm/postgresql';
import { createYoga, maskError, type Plugin } from 'graphql-yoga';
import { BatchLoaderError } from '@mikrokit/batch-loader';
import type { QueryTiming } from '@mikrokit/query-timing';
import type { Dashboard } from '@mikrokit/query-timing/dashboard';
import { yogaTiming } from '@mikrokit/query-timing/http';
import { ADD_VISIT, QUERIES } from '../queries.ts';
import { recordSql } from '../sql-log.ts';
import type { Context } from './context.ts';
import { schema } from './schema.ts';

export const ENDPOINT = '/graphql';

/** Answers GraphQL, shows GraphiQL to a browser, and what the queries of both cost. */
export function createHandler(orm: MikroORM, timing: QueryTiming, page: Dashboard): RequestListener {
  const yoga = createYoga<object, Context>({
    schema,
    graphqlEndpoint: ENDPOINT,
    landingPage: false,
    logging: 'warn',
    // The page is on the same address: no other site has any business here.
    cors: false,
    maskedErrors: { maskError: (error, message) => clientError(error) ?? maskError(error, message) },
    context: () => ({ em: orm.em.fork() }),
    graphiql: { title: 'Atlas', defaultQuery: QUERIES[0]!.document, defaultTabs: [...QUERIES, addVisit].map(tab) },
    // The page that Yoga has by default loads its scripts from a CDN; this one carries them. Nine megabytes, so it is
    // read when the first browser comes.
    renderGraphiQL: async options => (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
    plugins: [yogaTiming(timing), sqlInExtensions, offlineOnly],
  });
  return (request, response) => {
    if (request.url === '/') {
      response.writeHead(302, { location: ENDPOINT }).end();
    } else {
      page(request, response, () => void yoga(request, response));
    }
  };
}

const addVisit = { document: ADD_VISIT, variables: JSON.stringify({ traveller: 1, city: 2_960_316 }, null, 2) };

function tab({ document, variables }: { document: string; variables?: string }): { query: string; variables?: string } {
  return { query: document, ...(variables === undefined ? {} : { variables }) };
}

/** A cursor or a page that cannot be is the client's business, unlike any other error that we did not expect. */
function clientError(error: unknown): Error | undefined {
  if (!(error instanceof GraphQLError && error.originalError instanceof BatchLoaderError)) {
    return undefined;
  }
  const { code, message } = error.originalError;
  const { nodes = null, path = null } = error;
  return code === 'CURSOR' || code === 'ARGUMENT'
    ? new GraphQLError(message, { nodes, path, extensions: { code: 'BAD_USER_INPUT' } })
    : undefined;
}

/** Adds to each answer the statements it took, so that one sees in GraphiQL what a query costs. */
const sqlInExtensions: Plugin<Context> = {
  onExecute({ executeFn, setExecuteFn }) {
    setExecuteFn(async args => {
      const { result, statements } = await recordSql<ExecutionResult>(() => executeFn(args));
      const sql = { count: statements.length, statements };
      return { ...result, extensions: { ...result.extensions, sql } };
    });
  },
};

/** Makes the browser refuse whatever GraphiQL would fetch from elsewhere: what works at home works on a train. */
const offlineOnly: Plugin = {
  onResponse({ response }) {
    if (response.headers.get('content-type')?.startsWith('text/html')) {
      response.headers.set('content-security-policy', "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:");
    }
  },
};
