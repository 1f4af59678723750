import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from './errors.ts';

export const DEFAULT_PORT = 4000;

export const HELP = `Atlas: GraphQL over every country and 135 000 cities, with N+1 gone.

Usage: npm start -- [options]

  --port N    listen on this port of 127.0.0.1 (default ${DEFAULT_PORT}; 0 takes any free one)
  --once      end after the tour
  --no-cache  read past the result cache, so that one sees what batching alone does
  --help      show this

Environment:
  DATABASE_URL   use this PostgreSQL instead of the embedded one; Atlas keeps to the schema "atlas" in it
  REPLICA_URLS   its replicas, separated by commas; without them the primary answers everything
  REDIS_URL      a Redis that keeps the cache, for all processes; without it each keeps its own in memory
  ATLAS_DATA     where the embedded PostgreSQL keeps its data (default: .atlas in the repository)`;

export interface Options {
  help: boolean;
  once: boolean;
  /** Whether reads may be answered from the result cache. Writes tell it in any case. */
  cache: boolean;
  port: number;
  dataDir: string;
  /** `undefined`: the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  replicaUrls: readonly string[];
  /** `undefined`: the cache is in this process's memory. */
  redisUrl: string | undefined;
}

/** Reads command line and environment. Throws a UsageError that says what was wrong and what is possible. */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { help, once, port, 'no-cache': noCache } = parseCommandLine(args);
  const replicaUrls = (env['REPLICA_URLS'] ?? '')
    .split(',')
    .map(url => url.trim())
    .filter(url => url !== '');
  const databaseUrl = env['DATABASE_URL'] || undefined;
  if (replicaUrls.length > 0 && databaseUrl === undefined) {
    throw new UsageError('REPLICA_URLS is set but DATABASE_URL is not: replicas need the primary they follow.');
  }
  if (databaseUrl !== undefined) {
    checkUrl('DATABASE_URL', databaseUrl);
  }
  replicaUrls.forEach(url => checkUrl('REPLICA_URLS', url));
  const redisUrl = env['REDIS_URL'] || undefined;
  if (redisUrl !== undefined && !isUrl(redisUrl, /^rediss?:$/)) {
    throw new UsageError('REDIS_URL must be a URL like redis://user:password@host:6379/0.');
  }
  return {
    help: help === true,
    once: once === true,
    cache: noCache !== true,
    // A run that ends by itself tells nobody its address: it need not fight over the default port.
    port: port === undefined ? (once === true ? 0 : DEFAULT_PORT) : parsePort(port),
    dataDir: env['ATLAS_DATA'] || join(import.meta.dirname, '../../../.atlas'),
    databaseUrl,
    replicaUrls,
    redisUrl,
  };
}

function parseCommandLine(args: readonly string[]): {
  port?: string;
  once?: boolean;
  help?: boolean;
  'no-cache'?: boolean;
} {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        once: { type: 'boolean' },
        'no-cache': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    const { message } = error as Error;
    // Node calls `--port` and `--port -1` missing or ambiguous; to the user it is a port that is none.
    if (message.startsWith("Option '--port")) {
      throw badPort(args[args.indexOf('--port') + 1]);
    }
    // What follows the first sentence are hints about `--` that help nobody here.
    throw new UsageError(`${message.split(/\. |\n/)[0]}. --help lists the options.`);
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw badPort(text);
  }
  return port;
}

function badPort(text: string | undefined): UsageError {
  return new UsageError(
    `--port must be a whole number from 0 (any free port) to 65535, but got: ${text || 'nothing'}.`,
  );
}

function checkUrl(name: string, url: string): void {
  if (!isUrl(url, /^postgres(ql)?:$/)) {
    // The value may hold a password: it is not repeated.
    throw new UsageError(`${name} must be a URL like postgres://user:password@host:5432/database.`);
  }
}

function isUrl(url: string, protocol: RegExp): boolean {
  return URL.canParse(url) && protocol.test(new URL(url).protocol);
}
