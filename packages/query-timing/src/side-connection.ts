/** A connection beside the ORM's pools, for questions of the package's own: never timed, never seen by other extensions. */
export interface SideConnection {
  /**
   * @param text one statement; sent by the extended protocol, so that a second one cannot ride along
   * @param simple sends it by the simple protocol, for what has `$1` and no values (EXPLAIN (GENERIC_PLAN))
   * @returns rows; json as text
   */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
    simple?: boolean,
  ): Promise<readonly Row[]>;
  /** Gives it back for good. */
  end(): Promise<void>;
}

/** Opens one to the server of the ORM, or to `clientUrl`. @throws as pg does */
export type OpenSideConnection = (clientUrl?: string) => Promise<SideConnection>;
