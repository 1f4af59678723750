import type { Figures, Numbers } from './figures.ts';
import type { Stage } from './stage.ts';

/** What a figure may be. */
export interface Limit {
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** What has to hold of the figures of a run, and of what the scenario has measured itself. */
export type PassLine = Partial<Record<keyof Numbers, Limit>> & { readonly measured?: Readonly<Record<string, Limit>> };

/** Something that happens to the servers while the load runs. */
export interface Scenario {
  /** `F1` to `F19` of the design. */
  readonly id: string;
  readonly title: string;
  /** The nodes that it strikes. */
  readonly faulty?: readonly string[];
  /** A replica becomes the primary: the servers cannot be used again. */
  readonly promotes?: true;
  /** Of each process. @default 20 */
  readonly readers?: number;
  /** How long each of them waits for something to read before it reads what it knows, in ms. @default 200 */
  readonly idle?: number;
  /** Of each process: readers of rows that take long. @default 0 */
  readonly slowReaders?: number;
  /** Further options of `replicaResolver()`. */
  readonly options?: Readonly<Record<string, number>>;
  happens(stage: Stage): Promise<void>;
  readonly passes: PassLine;
}

const none: Limit = { atMost: 0 };

/** Holds under every fault: nothing out of date, nothing lost, nothing misrouted, nothing left behind. */
export const ALWAYS: PassLine = {
  stale: none,
  lost: none,
  misrouted: none,
  mislabelled: none,
  overBudget: none,
  unhandled: none,
  held: none,
  stuck: none,
  broken: none,
  // Else nothing was shown.
  elsewhere: { atLeast: 100 },
};

/** Holds wherever the primary is in order. */
export const UNHARMED: PassLine = { failedReads: none, failedWrites: none, unknown: none, tokenless: none };

/** The lines that figures do not pass, in words. */
export function failuresOf(figures: Figures, passes: PassLine): string[] {
  const { measured = {}, ...numbers } = passes;
  return [
    ...Object.entries(numbers).flatMap(([name, limit]) => failure(name, figures[name as keyof Numbers], limit)),
    ...Object.entries(measured).flatMap(([name, limit]) => failure(name, figures.measured[name], limit)),
  ];
}

function failure(name: string, value: number | undefined, { atMost = Infinity, atLeast = -Infinity }: Limit): string[] {
  if (value !== undefined && value <= atMost && value >= atLeast) {
    return [];
  }
  const limits = [
    ...(atMost === Infinity ? [] : [`at most ${atMost}`]),
    ...(atLeast === -Infinity ? [] : [`at least ${atLeast}`]),
  ];
  return [`${name} has to be ${limits.join(' and ')}, but is ${value}`];
}
