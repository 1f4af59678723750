import type { WriteStream } from 'node:tty';

const PLAIN_INTERVAL = 2_000;

/**
 * Says what is going on while one waits: on a terminal one line that is rewritten, in a log a few plain lines
 * (each step once, and its details at most every two seconds).
 */
export class Progress {
  readonly #out: WriteStream;
  readonly #now: () => number;
  #step = '';
  #lastLine = 0;
  #open = false;

  constructor(out: WriteStream, now: () => number = Date.now) {
    this.#out = out;
    this.#now = now;
  }

  show(step: string, detail = ''): void {
    const line = detail === '' ? `${step} …` : `${step} … ${detail}`;
    if (this.#out.isTTY) {
      this.#out.write(`\r\u001b[K${line.slice(0, (this.#out.columns || 80) - 1)}`);
      this.#open = true;
    } else if (step !== this.#step || this.#now() - this.#lastLine >= PLAIN_INTERVAL) {
      this.#out.write(`${line}\n`);
      this.#lastLine = this.#now();
    }
    this.#step = step;
  }

  /** Clears the line, so that what is printed next starts on an empty one. */
  clear(): void {
    if (this.#open) {
      this.#out.write('\r\u001b[K');
      this.#open = false;
    }
    this.#step = '';
  }
}
