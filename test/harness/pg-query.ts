import { Client, type QueryResultRow } from 'pg';

/** Runs one statement over a connection of its own, so that no pool survives the server that it pointed to. */
export async function queryOnce<Row extends QueryResultRow>(
  url: string,
  sql: string,
  params: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // Without a listener a connection cut between two events would end the whole process.
  client.on('error', () => {});
  try {
    await client.connect();
    const result = await client.query<Row>(sql, [...params]);
    return result.rows;
  } finally {
    await client.end().catch(() => {});
  }
}
