/**
 * The public names of each package, per entry: adding or removing one is a decision, and this is where it is written down.
 * Types are not listed; the programs in `consumers/` use them.
 */
export const expectedNames: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'batch-loader': {
    '.': ['batchLoader', 'batch', 'Page', 'BatchLoaderError', 'OptionsError'],
    './graphql': ['hints', 'relation', 'connection', 'aggregate', 'resolveReference'],
  },
  'query-timing': {
    '.': ['queryTiming', 'serverTiming', 'OptionsError', 'QueryTimingError'],
    './http': ['nodeTiming', 'expressTiming', 'fastifyTiming', 'honoTiming', 'yogaTiming', 'fetchTiming'],
    './dashboard': ['dashboard'],
    './opentelemetry': ['openTelemetry', 'traceTags'],
    './prometheus': ['prometheus'],
    './vitest': [
      'queryMatchers',
      'assertQueries',
      'recordQueries',
      'queriesOf',
      'ciReport',
      'readBaseline',
      'writeBaseline',
    ],
  },
  'replica-resolver': {
    '.': [
      'replicaResolver',
      'redisTokenStore',
      'OptionsError',
      'ReplicaResolverError',
      'CommitOutcomeUnknownError',
      'TokenStoreError',
    ],
    './http': [
      'nodeTokens',
      'expressTokens',
      'fastifyTokens',
      'honoTokens',
      'yogaTokens',
      'fetchTokens',
      'readToken',
      'tokenHeaders',
    ],
  },
  'result-cache': {
    '.': [
      'resultCache',
      'memoryStore',
      'redisStore',
      'externalWrites',
      'forEntities',
      'MAX_INTENT_TAGS',
      'OptionsError',
      'ResultCacheError',
      'StoreError',
    ],
    './conformance': ['storeConformance'],
  },
};

/** The runtime dependencies of each package, each a decision: well kept, small, and better at its job than code of ours. */
export const expectedDependencies: Readonly<Record<string, readonly string[]>> = {
  'batch-loader': [],
  'query-timing': [],
  'replica-resolver': [],
  'result-cache': [
    // What is used longest ago goes first, bounded in bytes.
    'lru-cache',
    // Rows as bytes: half the size of JSON, and nothing lost but what the codec looks out for.
    'msgpackr',
  ],
};
