/** A position in the write-ahead log (PostgreSQL's `pg_lsn`), in bytes. At least `0n` and less than `2n ** 64n`. */
export type Lsn = bigint;

const text = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/** What a page of the log begins with, before any record: in bytes. The first page of a segment has a longer one. */
const pageSize = 8192n;
const pageHeader = 24n;
const segmentHeader = 40n;

/**
 * Reads PostgreSQL's text of a position, e.g. `'16/B374D848'`: the upper and the lower 32 bits in hexadecimal. Takes
 * what `pg_lsn` takes: either case, with leading zeros or without.
 * @throws {TypeError} for anything else
 */
export function parseLsn(lsn: string): Lsn {
  const parts = text.exec(lsn);
  if (parts === null) {
    throw new TypeError(
      `A position of the write-ahead log is two hexadecimal numbers of 1 to 8 digits with a slash between them, like ` +
        `'16/B374D848', but it is ${JSON.stringify(lsn)}. Select it as pg_lsn.`,
    );
  }
  return (BigInt(`0x${parts[1]}`) << 32n) | BigInt(`0x${parts[2]}`);
}

/** The text of a position as PostgreSQL up to 18 writes it: upper case, no leading zeros. */
export function formatLsn(lsn: Lsn): string {
  return `${hex(lsn >> 32n)}/${hex(lsn & 0xffff_ffffn)}`;
}

/**
 * The end of the last record before an insert position. `pg_current_wal_insert_lsn()` tells where the next record will
 * begin. When the last one ended with its page, that is after the header of the next page; but a standby's replay
 * position stops at the page's end, and stays there until somebody writes again: on an idle primary it would be waited
 * for in vain. No record ends directly after a header, so nothing that was written is taken away.
 *
 * Trap: the sizes are those of PostgreSQL as it is built by default (pages of 8192 bytes, `wal_block_size`).
 * @param lsn from `pg_current_wal_insert_lsn()`
 * @param walSegmentSize in bytes: `select setting from pg_settings where name = 'wal_segment_size'`
 */
export function normaliseLsn(lsn: Lsn, walSegmentSize: number): Lsn {
  if (lsn % BigInt(walSegmentSize) === segmentHeader) {
    return lsn - segmentHeader;
  }
  return lsn % pageSize === pageHeader ? lsn - pageHeader : lsn;
}

function hex(half: bigint): string {
  return half.toString(16).toUpperCase();
}
