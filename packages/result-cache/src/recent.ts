/** A map that forgets what was used longest ago. */
export class Recent<Value> {
  readonly #most: number;
  readonly #values = new Map<string, Value>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): Value | undefined {
    const value = this.#values.get(key);
    if (value !== undefined && this.#values.size > this.#most / 2) {
      // Moved to the end, where the most recent are.
      this.#values.delete(key);
      this.#values.set(key, value);
    }
    return value;
  }

  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#most) {
      this.#values.delete(this.#values.keys().next().value!);
    }
  }

  clear(): void {
    this.#values.clear();
  }
}
