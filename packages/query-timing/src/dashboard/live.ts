import type { Stream } from './answer.ts';
import type { DashboardSource } from './reports.ts';

/** Who is told that there is something new, by server-sent events. */
export interface Live {
  /** `undefined`: there are too many already. */
  open(): Stream | undefined;
  /** Ends them all. Others may come. */
  close(): void;
}

/** At most so many at one time. */
export const MOST_LISTENERS = 20;
/** No two events are nearer than this, in ms. */
const BEAT = 1000;
/** Without anything new one is sent every so many beats: pools and queries outside of scopes change, too. */
const QUIET_BEATS = 5;
/**
 * One ends after so many beats; a browser comes back by itself. So a server that stops taking connections and waits for
 * those it has comes to its end, and a listener that is gone without a word gives its place back.
 */
const LONGEST_BEATS = 30;

interface Listener {
  readonly send: (part: string) => void;
  readonly end: () => void;
  beats: number;
}

/**
 * Tells listeners that there is something new, not what: a browser that is busy or hidden need not take it, and it is sent
 * once for whatever happened within a second. Nothing is subscribed to and no timer runs while nobody listens.
 */
export function createLive(source: Pick<DashboardSource, 'on'>): Live {
  const listeners = new Set<Listener>();
  let stop: (() => void) | undefined;

  const start = (): (() => void) => {
    let fresh = false;
    let beat = 0;
    const ends = [
      // What the page asks is a request, too: were that new, it would ask again, and so on.
      source.on('scope', ({ queries }) => void (fresh ||= queries > 0)),
      source.on('finding', () => void (fresh = true)),
    ];
    const timer = setInterval(() => {
      beat++;
      const tell = fresh || beat % QUIET_BEATS === 0;
      fresh = false;
      for (const listener of listeners) {
        if (++listener.beats >= LONGEST_BEATS) {
          listener.end();
        } else if (tell) {
          listener.send('event: change\ndata: {}\n\n');
        }
      }
    }, BEAT);
    // A page that somebody has left open does not keep the process alive.
    timer.unref();
    return () => {
      clearInterval(timer);
      ends.forEach(end => end());
    };
  };

  return {
    open() {
      if (listeners.size >= MOST_LISTENERS) {
        return undefined;
      }
      return (send, end) => {
        // Another may have come since: an answer begins a little later than it was decided on.
        if (listeners.size >= MOST_LISTENERS) {
          end();
          return () => {};
        }
        const listener: Listener = {
          send,
          end: () => {
            leave();
            end();
          },
          beats: 0,
        };
        const leave = (): void => {
          listeners.delete(listener);
          if (listeners.size === 0) {
            stop?.();
            stop = undefined;
          }
        };
        listeners.add(listener);
        stop ??= start();
        // The first bytes: until then a browser does not know that it is through.
        send('retry: 2000\n\n');
        return leave;
      };
    },
    close() {
      [...listeners].forEach(listener => listener.end());
    },
  };
}
