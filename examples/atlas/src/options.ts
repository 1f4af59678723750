import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from './errors.ts';

export const DEFAULT_PORT = 4000;

export const HELP = `Atlas: GraphQL over every country and 135 000 cities, with N+1 gone.

Usage: npm start -- [options]

  --port N    listen on this port of 127.0.0.1 (default ${DEFAULT_PORT}; 0 takes any free one)
  --once      end after the tour
  --help      show this

Environment:
  DATABASE_URL   use this PostgreSQL instead of the embedded one; Atlas keeps to the schema "atlas" in it
  REPLICA_URLS   its replicas, separated by commas
  ATLAS_DATA     where the embedded PostgreSQL keeps its data (default: .atlas in the repository)`;

export interface Options {
  help: boolean;
  once: boolean;
  port: number;
  dataDir: string;
  /** `undefined`: the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  replicaUrls: readonly string[];
}

/** Reads command line and environment. Throws a UsageError that says what was wrong and what is possible. */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { help, once, port } = parseCommandLine(args);
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
  return {
    help: help === true,
    once: once === true,
    // A run that ends by itself tells nobody its address: it need not fight over the default port.
    port: port === undefined ? (once === true ? 0 : DEFAULT_PORT) : parsePort(port),
    dataDir: env['ATLAS_DATA'] || join(import.meta.dirname, '../../../.atlas'),
    databaseUrl,
    replicaUrls,
  };
}

function parseCommandLine(args: readonly string[]): { port?: string; once?: boolean; help?: boolean } {
  try {
    return parseArgs({
      args: [...args],
      options: { port: { type: 'string' }, once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
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
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    // The value may hold a password: it is not repeated.
    throw new UsageError(`${name} must be a URL like postgres://user:password@host:5432/database.`);
  }
}
