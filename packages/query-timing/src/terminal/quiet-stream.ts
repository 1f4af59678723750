import { Writable } from 'node:stream';
import type { TerminalOptions } from '../options.ts';

/** A stream that has so many characters waiting does not keep up: what else there is to tell is left out. */
const MOST_WAITING = 1_000_000;

/** Writes to a stream that may throw, be closed, break, or not keep up. None of it reaches the program. */
export class QuietStream {
  readonly #stream: NonNullable<TerminalOptions['stream']>;
  #pending = 0;

  constructor(stream: NonNullable<TerminalOptions['stream']>) {
    this.#stream = stream;
  }

  write(text: string): void {
    const stream = this.#stream;
    try {
      if (stream instanceof Writable) {
        this.#writeTo(stream, text);
      } else {
        const written = stream.write(text);
        if (written instanceof Promise) {
          written.catch(ignore);
        }
      }
    } catch {
      // Whoever reads a report misses a line; the query that it is about does not fail for that.
    }
  }

  #writeTo(stream: Writable, text: string): void {
    if (!stream.writable || stream.writableLength > MOST_WAITING) {
      return;
    }
    // An 'error' event that nobody listens to ends the process. The program's own listeners hear it as before.
    if (this.#pending++ === 0) {
      stream.on('error', ignore);
    }
    stream.write(text, () => {
      // The event comes after the callback.
      setImmediate(() => {
        if (--this.#pending === 0) {
          stream.off('error', ignore);
        }
      }).unref();
    });
  }
}

function ignore(): void {}
