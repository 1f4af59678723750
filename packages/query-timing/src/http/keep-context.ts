/** What has events of its own. */
export interface Emitter {
  emit(...args: never[]): boolean;
}

type Inside = <T>(fn: () => T) => T;

/** Shared with the other packages that do this, so that the later one's context, which has the earlier ones', holds. */
const INSIDE: unique symbol = Symbol.for('mikrokit.http.inside');

/**
 * Has the events of a request or an answer happen in the context of `inside`. Node.js emits them outside of what the listener
 * had begun: were a body's `end` left there, all that a server does after it (Fastify: the whole handler) would be in no scope.
 */
export function keepContext(emitter: Emitter & { [INSIDE]?: Inside }, inside: Inside): void {
  const isKept = emitter[INSIDE] !== undefined;
  emitter[INSIDE] = inside;
  if (isKept) {
    return;
  }
  const { emit } = emitter;
  emitter.emit = (...args) => emitter[INSIDE]!(() => emit.apply(emitter, args));
}
