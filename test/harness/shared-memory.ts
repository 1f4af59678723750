import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Removes the shared memory segment of a server that was killed. A server that ends by itself takes segment and pid file
 * with it; a killed one leaves both, and the segment would stay until the machine is restarted.
 */
export function removeSharedMemory(dataDirectory: string): void {
  try {
    const line = readFileSync(join(dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[6];
    const id = line?.trim().split(/\s+/)[1];
    if (id) {
      execFileSync('ipcrm', ['-m', id], { stdio: 'ignore' });
    }
  } catch {
    // No pid file, the ordinary case; or no ipcrm here, and then 56 bytes stay.
  }
}
