import type { QueryTiming } from '../timing.ts';
import { QuietStream } from './quiet-stream.ts';
import { scopeLines } from './scope-lines.ts';
import { summaryTable } from './summary-table.ts';
import type { ResolvedTerminalOptions } from './terminal-options.ts';
import { type TerminalStyle, terminalStyle } from './terminal-style.ts';

/**
 * Writes to a terminal what was found: a line for each request and job that has queried, with its findings below it, and a
 * table when the process ends. A stream that throws, is closed or does not keep up loses lines; nobody is hurt.
 * @returns ends it: the table is written now, for a script closes its ORM before it ends
 */
export function attachTerminal(
  timing: Pick<QueryTiming, 'on' | 'report'>,
  options: ResolvedTerminalOptions,
): () => void {
  const { stream } = options;
  const quiet = new QuietStream(stream);
  const root = process.cwd();
  const write = (lines: (style: TerminalStyle) => readonly string[]): void => {
    // The style each time anew: a window changes its width.
    const written = lines(terminalStyle(stream, process.env, root));
    if (written.length > 0) {
      quiet.write(`${written.join('\n')}\n`);
    }
  };

  const ends: (() => void)[] = [];
  if (options.scopes) {
    ends.push(
      timing.on('scope', scope => {
        // Forks and the process are what was asked outside of any request: there may be thousands, and the table has them.
        const isNamed = scope.kind === 'request' || scope.kind === 'job';
        const isWorthIt = scope.findings.length > 0 || scope.took >= options.minTime * 1000;
        if (isNamed && isWorthIt && scope.queries > 0) {
          write(style => scopeLines(scope, style));
        }
      }),
    );
  }
  if (options.summary) {
    let told = 0;
    const summary = (): void => {
      const report = timing.report();
      // 'exit' follows on 'beforeExit': again only if there was more in between.
      if (report.totals.queries !== told) {
        told = report.totals.queries;
        write(style => summaryTable(report, style));
      }
    };
    // At 'exit' an asynchronous stream is too late; without process.exit() there is 'beforeExit' before it.
    process.on('beforeExit', summary).on('exit', summary);
    ends.push(() => {
      process.off('beforeExit', summary).off('exit', summary);
      summary();
    });
  }
  return () => {
    for (const end of ends) {
      end();
    }
  };
}
