/** How a cache beside the ORM is used: asked at each read, told after each write. */
export interface NaiveCache {
  /** @param registers what the result depends on */
  get<T>(key: string, registers: readonly string[], load: () => Promise<T>): Promise<T>;
  /** After the commit. @param keys of all results that depend on `registers` */
  invalidate(registers: readonly string[], keys: readonly string[]): Promise<void>;
  readonly hits: number;
  readonly misses: number;
}
