import { randomUUID } from 'node:crypto';
import { StoreError } from '../errors.ts';
import type { Commands } from './commands.ts';
import { PROBE } from './scripts.ts';

/** A server that does not answer by then is not judged. */
const PATIENCE = 1_000;

/**
 * Does once, on a key of its own, what the store will do.
 *
 * @throws {StoreError} `READ_ONLY` or `DENIED`. Connections that fail, and servers that are short of something, may recover:
 * they are no reason.
 */
export async function checkServer(commands: Commands, prefix: string): Promise<void> {
  const key = `${prefix}:p:${randomUUID()}`;
  // In another slot: a node of a Cluster refuses to read both at once.
  const other = `${prefix}:p:${randomUUID()}`;
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>(resolve => {
    timer = setTimeout(resolve, PATIENCE);
  });
  const probe = Promise.all([
    commands.run({ script: PROBE, key, args: [] }),
    commands.get([key, other], []),
    commands.send('set', key, '', 'px', 1),
    commands.send('pttl', key),
    commands.unlinkThenRun([key], { script: PROBE, key, args: [] }),
  ]);
  try {
    await Promise.race([probe, patience]);
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'READ_ONLY' || error.code === 'DENIED')) {
      throw error;
    }
  } finally {
    clearTimeout(timer);
    // What is answered later is told by the first real command.
    probe.catch(() => {});
  }
}
