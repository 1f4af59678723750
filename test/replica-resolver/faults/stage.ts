import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.ts';
import { inForm } from './form.ts';
import type { Load } from './load.ts';
import type { Moments } from './moments.ts';
import type { FaultNode, World } from './world.ts';

/** What a scenario acts on while the load runs. */
export class Stage {
  readonly world: World;
  /** The name of the database that the load is on. */
  readonly database: string;
  readonly moments: Moments = { begun: now(), fault: undefined, promoted: undefined, healed: undefined, ended: now() };
  /** What the scenario finds out itself; part of the figures. */
  readonly measured: Record<string, number> = {};
  /** Who takes writes. */
  primary: FaultNode;
  /** Who did before. */
  oldPrimary: FaultNode | undefined;
  readonly #load: Load;

  constructor(world: World, load: Load, database: string) {
    this.world = world;
    this.#load = load;
    this.database = database;
    this.primary = world.primary;
  }

  /** First queries open connections and compile code: what they take is not counted. */
  async warmsUp(): Promise<void> {
    await this.lasts(1, 3);
    this.moments.begun = now();
    await this.lasts(0.5, 5);
  }

  /** Lets the load run for so many seconds, in the short form and in the long one. */
  async lasts(short: number, long: number): Promise<void> {
    await sleep(inForm(short, long) * 1_000);
    this.#check();
  }

  /** Lets the load run until so many reads were ordered in another process than the one that wrote. */
  async orders(count: number): Promise<void> {
    while (this.#load.orders < count) {
      await sleep(50);
      this.#check();
    }
  }

  fault(): void {
    this.moments.fault = now();
  }

  healed(): void {
    this.moments.healed = now();
  }

  promoted(node: FaultNode): void {
    this.moments.promoted = now();
    this.oldPrimary = this.primary;
    this.primary = node;
  }

  #check(): void {
    if (this.#load.failures.length > 0) {
      throw new Error(this.#load.failures.join('\n\n'));
    }
  }
}
