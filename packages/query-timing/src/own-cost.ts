import { AsyncLocalStorage } from 'node:async_hooks';
import { ModelFacts } from './findings/model-facts.ts';
import { ScopeAnalysis } from './findings/scope-analysis.ts';
import type { AnalysisSettings } from './findings/seen.ts';
import { Lease } from './lease.ts';
import type { Model } from './model.ts';
import { ParameterDescriber } from './parameters.ts';
import { PoolStats } from './pool-stats.ts';
import { Recorder } from './recorder.ts';
import { Scopes } from './scopes.ts';
import { Shapes } from './shapes.ts';
import { Subscribers } from './subscribers.ts';
import { Sums } from './sums.ts';

const ROUNDS = 7;
const QUERIES = 300;
const NO_MODEL: Model = { byTable: () => undefined, byName: () => undefined, entities: [] };
const SETTINGS: AnalysisSettings = { threshold: 5, minTime: 50, ignore: [], proof: true };

/**
 * What recording costs for each query, in µs: all of it is made to run on nothing, for a few milliseconds together, outside
 * of any request. The least of some rounds, since the machine does other things, too.
 */
export function measureOwnCost(): number {
  const facts = new ModelFacts(NO_MODEL);
  const scopes = new Scopes(
    () => new ScopeAnalysis(SETTINGS, NO_MODEL, facts),
    () => undefined,
    () => undefined,
  );
  const record = recordNothing(scopes);
  return AsyncLocalStorage.snapshot()(() => {
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS; round++) {
      const begun = performance.now();
      for (let query = 0; query < QUERIES; query++) {
        record();
      }
      least = Math.min(least, ((performance.now() - begun) * 1000) / QUERIES);
    }
    scopes.clear();
    return least;
  });
}

/** The hot path on nothing, for its cost. */
function recordNothing(scopes: Scopes): () => void {
  const shapes = new Shapes(() => undefined);
  const sums = new Sums();
  const lease = new Lease(new PoolStats('none', 'primary'));
  const recorder = new Recorder(
    {
      scopes,
      shapes,
      statements: new Subscribers(() => undefined),
      parameters: new ParameterDescriber('types'),
      secretsOf: () => () => false,
      slowFrom: () => Number.POSITIVE_INFINITY,
      capture: () => undefined,
      sample: 0,
      failed: () => undefined,
      idleInTransaction: Number.POSITIVE_INFINITY,
      longTransaction: Number.POSITIVE_INFINITY,
      slow: () => undefined,
      idled: () => undefined,
      lasted: () => undefined,
      ended: query => void sums.add(query),
      found: () => undefined,
    },
    'mikrokit:query:rehearsal',
  );
  return recorder.rehearsal(lease);
}
