/** What takes the place of a name that is one too many. */
export const OTHER = '__other__';

/**
 * Lets so many different names through; those that come later are `__other__`. A label whose values anybody can make up
 * would otherwise make a new series each time, here and in Prometheus.
 */
export class BoundedNames {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  of(name: string): string {
    if (this.#known.has(name)) {
      return name;
    }
    if (this.#known.size >= this.#most) {
      return OTHER;
    }
    this.#known.add(name);
    return name;
  }

  clear(): void {
    this.#known.clear();
  }
}
