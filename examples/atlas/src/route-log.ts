import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RouteEvent } from '@mikrokit/replica-resolver';

const current = new AsyncLocalStorage<RouteEvent[]>();

/**
 * Runs `work` and lists where its reads and writes went, and why; nothing of what goes on meanwhile.
 *
 * @param work is given the list, which grows
 */
export async function recordRoutes<T>(
  work: (routes: readonly RouteEvent[]) => Promise<T>,
): Promise<{ result: T; routes: readonly RouteEvent[] }> {
  const routes: RouteEvent[] = [];
  const listen = (message: unknown): void => {
    if (current.getStore() === routes) {
      routes.push(message as RouteEvent);
    }
  };
  subscribe('mikrokit:route', listen);
  try {
    return { result: await current.run(routes, () => work(routes)), routes };
  } finally {
    unsubscribe('mikrokit:route', listen);
  }
}
