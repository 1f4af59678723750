/** How long one thing may take to stop: a pool whose queries were cut off by Ctrl-C can wait for them for ever. */
const PATIENCE = 3_000;

/**
 * What has been started and must be stopped, last in first out. It stops each thing once, however often it is asked
 * (Ctrl-C twice, or Ctrl-C while `--once` is ending anyway), and goes on when one of them fails or hangs.
 */
export class Cleanup {
  readonly #steps: (() => Promise<unknown>)[] = [];
  #running: Promise<void> | undefined;

  get started(): boolean {
    return this.#running !== undefined;
  }

  /** Adds a step. When the clean-up has begun it runs at once: nothing that starts late is left behind. */
  async add(step: () => Promise<unknown>): Promise<void> {
    if (this.started) {
      await step();
    } else {
      this.#steps.push(step);
    }
  }

  run(): Promise<void> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<void> {
    const errors: unknown[] = [];
    for (const step of this.#steps.reverse()) {
      await withinPatience(step()).catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) {
      throw new AggregateError(errors, `Not everything could be stopped: ${errors.map(String).join('; ')}`);
    }
  }
}

async function withinPatience(stopped: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const impatience = new Promise(resolve => (timer = setTimeout(resolve, PATIENCE)));
  await Promise.race([stopped, impatience]).finally(() => clearTimeout(timer));
}
