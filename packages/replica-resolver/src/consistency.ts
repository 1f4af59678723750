/**
 * What a read may miss.
 * - `'session'`: nothing that this session (scope, or token it was given) has written. Other sessions' last writes may be
 *   missing, at most `maxLag` of them.
 * - `'monotonic'`: as `'session'`, and nothing that this session has already read. Trap: what it reads in a transaction
 *   that may write, or as a stream, is not remembered.
 * - `{ bounded: ms }`: nothing that was committed more than `ms` ago, whoever wrote it.
 * - `'strong'`: nothing that was committed before the read began. Read on the primary.
 * - `'eventual'`: whatever the last `maxLag` ms have brought; own writes, too.
 */
export type Consistency = 'session' | 'monotonic' | 'strong' | 'eventual' | { readonly bounded: number };
