/** A position in the write-ahead log (PostgreSQL's `pg_lsn`), in bytes. */
export type Lsn = bigint;
