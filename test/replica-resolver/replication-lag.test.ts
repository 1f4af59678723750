import { afterEach, expect, test, vi } from 'vitest';
import { ReplicationLag } from '../../packages/replica-resolver/src/replication-lag.ts';

/* How far replicas are behind while the primary answers, and from what is left when it does not. */

const ANSWERS = true;
const DEAD = false;

/** A primary that wrote 100 bytes a second for 20 s, until `ago` ms ago. */
function lastHeardOf(ago: number): { readonly lag: ReplicationLag; readonly now: number } {
  const now = performance.now();
  // Lags depend on the time that passes in a test: none does.
  vi.spyOn(performance, 'now').mockReturnValue(now);
  const lag = new ReplicationLag(10_000);
  for (let second = 0; second <= 20; second++) {
    lag.primaryWasAt(now - ago - (20 - second) * 1_000, BigInt(second) * 100n);
  }
  return { lag, now };
}

afterEach(() => void vi.restoreAllMocks());

const about = (ms: number): unknown => expect.closeTo(ms);

test('while the primary answers, it tells', () => {
  const { lag, now } = lastHeardOf(0);
  expect(lag.replicaWasAt(now, 2_000n, ANSWERS)).toEqual({ ms: 0, bytes: 0, relative: false });
  expect(lag.replicaWasAt(now, 1_500n, ANSWERS)).toEqual({ ms: about(5_000), bytes: 500, relative: false });
});

test('when it is dead, a replica that has not got its last bytes is not further behind each second', () => {
  const { lag, now } = lastHeardOf(60_000);
  expect(lag.replicaWasAt(now, 1_950n, DEAD)).toEqual({ ms: about(500), bytes: 50, relative: true });
});

test('… and one that was far behind still is, though no other replica is there to compare it with', () => {
  const { lag, now } = lastHeardOf(60_000);
  expect(lag.replicaWasAt(now, 500n, DEAD)).toEqual({ ms: about(15_000), bytes: 1_500, relative: true });
});

test('… and one that does not go on as others do is further behind each second', () => {
  const { lag, now } = lastHeardOf(30_000);
  lag.replicaWasAt(now - 25_000, 1_900n, DEAD);
  lag.replicaWasAt(now - 24_000, 2_100n, DEAD);
  expect(lag.replicaWasAt(now, 1_900n, DEAD)).toEqual({ ms: about(25_000), bytes: 200, relative: true });
});

test('what a replica has not told is not known, and neither is anything before a primary was heard of', () => {
  const unknown = { ms: undefined, bytes: undefined, relative: false };
  const { lag, now } = lastHeardOf(0);
  expect(lag.replicaWasAt(now, undefined, ANSWERS)).toEqual(unknown);
  lag.forgetPrimary();
  expect(lag.replicaWasAt(now, 2_000n, ANSWERS)).toEqual(unknown);
  expect(lag.replicaWasAt(now, 2_000n, DEAD)).toEqual(unknown);
});
