/** A MikroORM connection, as far as statements that are read go through it. */
export interface Connection {
  execute(
    sql: string,
    params: readonly unknown[],
    method: string,
    transaction: unknown,
    logging: unknown,
  ): Promise<unknown>;
  transactional<T>(run: (transaction: unknown) => Promise<T>, options?: object): Promise<T>;
  stream(...args: unknown[]): AsyncIterableIterator<unknown>;
}
