import type { EntityManager } from '@mikro-orm/core';
import { optionsKey } from './batch-key.ts';
import type { BatchedCalls } from './batched-calls.ts';
import { aboutAnother, ownerIn } from './call-owner.ts';
import type { Call, CallRequest } from './calls.ts';
import type { Segment } from './fork-queue.ts';
import { asError, type LoadContext } from './load-context.ts';
import type { PeerLoads } from './peer-loads.ts';
import { managerOf } from './seam/entity.ts';
import { scopeOf } from './seam/guard-layer.ts';

const CALLS = { dedupe: false };

/** Options under which an answer is not to be had for somebody else. */
const OWN_ANSWER = ['signal', 'lockMode', 'lockVersion', 'cache', 'ctx', 'disableIdentityMap', 'refresh', 'flushMode'];

/** Takes a call into the batch window; with `peers`, and for those it came with. */
export function readBatched(
  context: LoadContext,
  calls: BatchedCalls,
  peers: PeerLoads | undefined,
  em: EntityManager,
  segment: Segment<EntityManager>,
  request: CallRequest,
): Promise<unknown> {
  const real = (own: CallRequest = request): Promise<unknown> => readInWindow(context, calls, em, segment, own);
  const owner =
    peers && OWN_ANSWER.every(name => request.options[name] === undefined) ? ownerIn(request.where) : undefined;
  if (peers === undefined || owner === undefined || managerOf(owner) !== em) {
    return real();
  }
  const { method, meta, property, options, where } = request;
  const about = context.keyOf(aboutAnother(where, owner, OWNER));
  const key = `${method}|${meta.uniqueName}|${property ?? ''}|${about}|${optionsKey(options, context.keyOf, NO_NAMES)}`;
  const asked = { entity: owner, meta, method, key };
  return peers.call({ em, segment }, asked, real, peer =>
    real({ ...request, where: aboutAnother(where, owner, peer) }),
  );
}

/** Stands for the owner in the key of a call. */
const OWNER = Symbol.for('@mikrokit/batch-loader owner');
const NO_NAMES: ReadonlySet<string> = new Set();

function readInWindow(
  context: LoadContext,
  calls: BatchedCalls,
  em: EntityManager,
  segment: Segment<EntityManager>,
  request: CallRequest,
): Promise<unknown> {
  let settled: (() => void) | undefined;
  const answer = new Promise((resolve, reject) => {
    const signal = request.options['signal'] as AbortSignal | undefined;
    if (signal?.aborted === true) {
      reject(asError(signal.reason));
      return;
    }
    const trace = context.guard?.trace(scopeOf(em));
    const call: Call = { ...request, ...calls.taken(request), em, trace, resolve, reject };
    if (signal) {
      // The others of its statement go on.
      const aborted = (): void => reject(asError(signal.reason));
      signal.addEventListener('abort', aborted, { once: true });
      settled = () => signal.removeEventListener('abort', aborted);
    }
    const run = async (window: readonly Call[], own: Segment<EntityManager>): Promise<undefined[]> => {
      await calls.run(window, em, own);
      return window.map(() => undefined);
    };
    context
      .queueOf(em)
      .load(CALLS, '', () => ({ ...CALLS, run }), call, segment)
      .catch(reject);
  });
  return settled ? answer.finally(settled) : answer;
}
