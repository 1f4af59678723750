import { EventEmitter } from 'node:events';
import type { ResolverEvents } from './events.ts';

/** Hands events to their listeners. A listener that throws is none of the resolver's business, and must not become it. */
export class Events {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  on<Name extends keyof ResolverEvents>(name: Name, listener: (event: ResolverEvents[Name]) => void): () => void {
    const guarded = (event: ResolverEvents[Name]): void => void tell(listener, event);
    this.#emitter.on(name, guarded);
    return () => void this.#emitter.off(name, guarded);
  }

  emit<Name extends keyof ResolverEvents>(name: Name, event: ResolverEvents[Name]): void {
    this.#emitter.emit(name, event);
  }
}

/** An async listener fails by its promise. */
async function tell<Event>(listener: (event: Event) => unknown, event: Event): Promise<void> {
  try {
    await listener(event);
  } catch {
    // Its own affair.
  }
}
