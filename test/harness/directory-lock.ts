import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive, startedAt } from './processes.ts';

/** The process that holds a lock. */
export interface LockHolder {
  readonly pid: number;
}

/**
 * Takes the lock `file` for this process, or tells who holds it. A lock left behind by a process that has died counts
 * for nothing; pid and start time together tell it from a stranger that was given the same pid.
 */
export function takeLock(file: string): { release(): void } | LockHolder {
  const mine = `${process.pid} ${startedAt(process.pid)}`;
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx' });
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    }
    const holder = holderOf(file);
    if (holder) {
      return holder;
    }
    rmSync(file, { force: true });
  }
}

function holderOf(file: string): LockHolder | undefined {
  try {
    const [pid, ...started] = readFileSync(file, 'utf8').split(' ');
    const holder = Number(pid);
    return isAlive(holder) && startedAt(holder) === started.join(' ') ? { pid: holder } : undefined;
  } catch {
    return undefined; // It was released while we looked.
  }
}
