import { Client } from 'pg';
import { now } from './clock.ts';
import type { Journal } from './journal.ts';

/** Holds an idle connection to each node, and notes when it is lost: how soon a process could know. @returns ends them */
export async function openLookouts(
  urls: Readonly<Record<string, string>>,
  journal: Journal,
): Promise<() => Promise<void>> {
  let over = false;
  const clients = await Promise.all(
    Object.entries(urls).map(async ([node, connectionString]) => {
      const client = new Client({ connectionString });
      client.on('error', () => {});
      client.once('end', () => {
        if (!over) {
          journal.write({ kind: 'lost', at: now(), node });
        }
      });
      await client.connect();
      return client;
    }),
  );
  return async () => {
    over = true;
    await Promise.all(clients.map(client => client.end().catch(() => {})));
  };
}
