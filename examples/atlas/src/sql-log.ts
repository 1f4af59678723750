import { AsyncLocalStorage } from 'node:async_hooks';
import { DefaultLogger, type LogContext, type LoggerOptions } from '@mikro-orm/postgresql';

/** One statement, as PostgreSQL got it but for the values. */
export interface Statement {
  sql: string;
  /** Which server answered, not which was asked for. */
  via: 'primary' | 'replica';
  /** Milliseconds, whole ones: MikroORM measures no finer. */
  took: number;
}

const REPLICA = /^replica-\d+$/;

/** How replicas are called in MikroORM's config: by its name one tells which server answered. */
export function replicaName(index: number): string {
  return `replica-${index + 1}`;
}

const current = new AsyncLocalStorage<Statement[]>();

/** Runs `work` and lists the statements made on its behalf, and on behalf of nothing else that goes on meanwhile. */
export async function recordSql<T>(work: () => T | Promise<T>): Promise<{ result: T; statements: Statement[] }> {
  const statements: Statement[] = [];
  return { result: await current.run(statements, work), statements };
}

/** For the ORM's `loggerFactory`. MikroORM hands every statement to its logger, whether or not `debug` is on. */
export class SqlLogger extends DefaultLogger {
  static override create(options: LoggerOptions): SqlLogger {
    return new SqlLogger(options);
  }

  override logQuery(context: { query: string } & LogContext): void {
    current.getStore()?.push({
      sql: shorten(context.query),
      via: REPLICA.test(context.connection?.name ?? '') ? 'replica' : 'primary',
      took: context['took'] ?? 0,
    });
    super.logQuery(context);
  }
}

/** `in (?, ?, … 250 of them)` tells no more than their number. */
function shorten(sql: string): string {
  return sql.replace(/\?(?:, \?){3,}/g, list => `? × ${(list.length + 2) / 3}`);
}
