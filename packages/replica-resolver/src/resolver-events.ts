import { EventEmitter } from 'node:events';
import type { ResolverEvents } from './events.ts';

/** Hands events to their listeners. A listener that throws is none of the resolver's business, and must not become it. */
export class Events {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  on<Name extends keyof ResolverEvents>(name: Name, listener: (event: ResolverEvents[Name]) => void): () => void {
    const guarded = (event: unknown): void => {
      try {
        listener(event as ResolverEvents[Name]);
      } catch {
        // Its own affair.
      }
    };
    this.#emitter.on(name, guarded);
    return () => void this.#emitter.off(name, guarded);
  }

  emit<Name extends keyof ResolverEvents>(name: Name, event: ResolverEvents[Name]): void {
    this.#emitter.emit(name, event);
  }
}
