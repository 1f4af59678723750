import { countLine } from '../../scripts/summary.mjs';

/** Runs named checks one after another, prints a line with the duration of each, and counts. */
export class Report {
  readonly #count = { passed: 0, failed: 0 };

  /**
   * Runs one check. It fails by throwing; its failure is printed and the next one goes on, but what it should have
   * given is then missing, so the caller gets `undefined`.
   */
  async check<T>(name: string, run: () => T | Promise<T>): Promise<T | undefined> {
    const started = performance.now();
    try {
      const result = await run();
      this.#count.passed += 1;
      console.log(line('ok    ', name, started));
      return result;
    } catch (error) {
      this.#count.failed += 1;
      console.log(line('FAILED', name, started));
      console.log((error instanceof Error ? error.message : String(error)).trimEnd().replace(/^/gm, '       '));
      return undefined;
    }
  }

  /** Prints `N passed, N failed` and gives the exit code: 1 if a check failed or none ran. */
  finish(): number {
    console.log(countLine(this.#count));
    return this.#count.failed > 0 || this.#count.passed === 0 ? 1 : 0;
  }
}

function line(verdict: string, name: string, started: number): string {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  return `${verdict} ${name.padEnd(72)} ${seconds.padStart(6)} s`;
}
