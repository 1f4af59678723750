import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ForkScopes } from '../../packages/query-timing/src/fork-scopes.ts';
import { OpenScope } from '../../packages/query-timing/src/open-scope.ts';

const scopeOf = (fork: number, at: number): OpenScope =>
  new OpenScope(fork, 'fork', `fork ${fork}`, undefined, false, at);

/** What a map would do; `add` and `delete` as they come, of forks that often meet in one set. */
const steps = fc.array(
  fc.tuple(fc.constantFrom('heard', 'heard', 'heard', 'delete', 'idle'), fc.integer({ min: 0, max: 11 })),
  { maxLength: 200 },
);

test('is a map of forks, in which each set of four lets go of that which was not heard of for the longest time', () => {
  fc.assert(
    fc.property(steps, all => {
      const scopes = new ForkScopes();
      const map = new Map<number, OpenScope>();
      all.forEach(([step, index], now) => {
        // Two sets: forks 1, 257, 513 … and 2, 258 …
        const fork = 1 + (index % 2) + 256 * Math.floor(index / 2);
        expect(scopes.get(fork)).toBe(map.get(fork));
        if (step === 'delete') {
          scopes.delete(fork);
          map.delete(fork);
        } else if (step === 'idle') {
          const idle = [...map].filter(([, { lastAt }]) => lastAt <= now - 20);
          expect(new Set(scopes.takeIdle(now - 20))).toEqual(new Set(idle.map(([, scope]) => scope)));
          idle.forEach(([each]) => map.delete(each));
        } else if (map.has(fork)) {
          map.get(fork)!.lastAt = now;
        } else {
          const set = [...map].filter(([each]) => each % 256 === fork % 256);
          const oldest = set.length < 4 ? undefined : set.toSorted(([, a], [, b]) => a.lastAt - b.lastAt)[0]!;
          const scope = scopeOf(fork, now);
          expect(scopes.add(fork, scope)).toBe(oldest?.[1]);
          if (oldest !== undefined) {
            map.delete(oldest[0]);
          }
          map.set(fork, scope);
        }
        expect(scopes.size).toBe(map.size);
        expect(new Set(scopes.all())).toEqual(new Set(map.values()));
      });
      scopes.clear();
      expect(scopes.all()).toEqual([]);
    }),
    { seed: 20261121, numRuns: 300 },
  );
});
