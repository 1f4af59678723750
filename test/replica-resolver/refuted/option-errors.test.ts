import { replicaResolver } from '@mikrokit/replica-resolver';
import { expect, test } from 'vitest';

test('consistency: null is refused as any other wrong value, and not taken for the default', () => {
  expect(() => replicaResolver({ consistency: null as never })).toThrow('consistency is one of');
});

test.each<[string, object, string]>([
  ['pool.max', { pool: { max: 0 } }, 'Leave it out for 10.'],
  ['pool.acquireTimeoutMillis', { pool: { acquireTimeoutMillis: -1 } }, 'Leave it out for 1000.'],
  ['primaryPool.acquireTimeoutMillis', { primaryPool: { acquireTimeoutMillis: -1 } }, 'Leave it out for 30000.'],
  ['primaryPool.connectionTimeoutMillis', { primaryPool: { connectionTimeoutMillis: -1 } }, 'Leave it out for 3000.'],
  ['nodes.one.pool.max', { nodes: { one: { pool: { max: 0 } } } }, 'Leave it out for 10.'],
])('a wrong %s: the remedy names the default of that option', (_option, options, remedy) => {
  expect(() => replicaResolver(options)).toThrow(remedy);
});
