/** A node as the choice sees it. Callers pass their own node objects: they need only these properties. */
export interface Candidate {
  readonly name: string;
  /** Its share of reads, relative to the others'. 0: only when there is nothing else. */
  readonly weight: number;
  /** What slow start leaves of the weight, 0 to 1. */
  readonly ramp: number;
  /** Round trip in ms; `undefined` when it is not known. */
  readonly rtt: number | undefined;
  /** Statements in flight and waiting for a connection. */
  readonly load: number;
  readonly zone: string | undefined;
  /** Whether it is known to show all that this read must see; `undefined` when that is not known. */
  readonly caughtUp: boolean | undefined;
}

/**
 * Which of the nodes that are left gets a read.
 * - `'p2c'`: of two at random, the one with less to do;
 * - `'round-robin'`: in turn, by weight;
 * - `'random'`: at random, by weight;
 * - a function: one of those it is given. When it throws or returns anything else, `'p2c'` chooses.
 */
export type Strategy = 'p2c' | 'round-robin' | 'random' | ((candidates: readonly Candidate[]) => Candidate | undefined);

/** Names whose turn `round-robin` remembers. Where names come and go (addresses of containers) it begins anew at this many. */
const MOST_TURNS = 256;

/**
 * Chooses the node of a read, of those that may serve it. First by preference, each only where it leaves any:
 * a weight above 0, known to be caught up, the own zone, a round trip within `window` of the shortest (one that is not known
 * counts as within); then by the strategy.
 */
export class Selector {
  readonly #strategy: Strategy;
  readonly #window: number;
  readonly #zone: string | undefined;
  readonly #random: () => number;
  /** How far each name's turn has come (`round-robin`). */
  readonly #turns = new Map<string, number>();

  /**
   * @param options.window in ms
   * @param options.zone the own zone, if there are any
   * @param options.random 0 ≤ x < 1, as `Math.random`
   */
  constructor(options: {
    readonly strategy: Strategy;
    readonly window: number;
    readonly zone: string | undefined;
    readonly random: () => number;
  }) {
    this.#strategy = options.strategy;
    this.#window = options.window;
    this.#zone = options.zone;
    this.#random = options.random;
  }

  /** @returns one of the candidates; `undefined` when there are none */
  pick<C extends Candidate>(candidates: readonly C[]): C | undefined {
    if (candidates.length < 2) return candidates[0];
    let left = preferring(candidates, hasWeight, undefined);
    left = preferring(left, isCaughtUp, undefined);
    if (this.#zone !== undefined) left = preferring(left, isInZone, this.#zone);
    left = preferring(left, isWithin, shortest(left) + this.#window);
    if (left.length < 2) return left[0];

    const strategy = this.#strategy;
    if (typeof strategy === 'function') return ask(strategy, left) ?? this.#leastLoadedOfTwo(left);
    switch (strategy) {
      case 'round-robin':
        return this.#next(left);
      case 'random':
        return draw(left, this.#random, undefined);
      default:
        return this.#leastLoadedOfTwo(left);
    }
  }

  /**
   * Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (IEEE TPDS 2001): the less loaded of two chosen at
   * random; unlike the least loaded of all it does not send everybody to the same node until its load is known.
   *
   * With equal loads the first one drawn is taken, not the heavier one: an idle cluster is shared by weight, too, and a
   * warming node gets its first reads before the others are busy.
   */
  #leastLoadedOfTwo<C extends Candidate>(candidates: readonly C[]): C | undefined {
    const first = draw(candidates, this.#random, undefined);
    const second = draw(candidates, this.#random, first);
    if (first === undefined || second === undefined || first.load === second.load) return first;
    return (second.load + 1) / share(second) < (first.load + 1) / share(first) ? second : first;
  }

  /** Smooth weighted round-robin as in nginx (`ngx_http_upstream_round_robin.c`): 5, 1, 1 gives a a b a c a a. */
  #next<C extends Candidate>(candidates: readonly C[]): C | undefined {
    if (this.#turns.size > MOST_TURNS) this.#turns.clear();
    let best: C | undefined;
    let furthest = -Infinity;
    let total = 0;
    for (const candidate of candidates) {
      const turn = (this.#turns.get(candidate.name) ?? 0) + share(candidate);
      this.#turns.set(candidate.name, turn);
      total += share(candidate);
      if (turn > furthest) {
        best = candidate;
        furthest = turn;
      }
    }
    if (best !== undefined) this.#turns.set(best.name, furthest - total);
    return best;
  }
}

/** Those that pass, or all if none does. The same array where nothing is left out: this runs for each read. */
function preferring<C extends Candidate, A>(
  candidates: readonly C[],
  passes: (candidate: Candidate, against: A) => boolean,
  against: A,
): readonly C[] {
  let passing = 0;
  for (const candidate of candidates) if (passes(candidate, against)) passing++;
  if (passing === 0 || passing === candidates.length) return candidates;
  return candidates.filter(candidate => passes(candidate, against));
}

function hasWeight(candidate: Candidate): boolean {
  return candidate.weight * candidate.ramp > 0;
}

function isCaughtUp(candidate: Candidate): boolean {
  return candidate.caughtUp === true;
}

function isInZone(candidate: Candidate, zone: string): boolean {
  return candidate.zone === zone;
}

function isWithin(candidate: Candidate, limit: number): boolean {
  return candidate.rtt === undefined || candidate.rtt <= limit;
}

function shortest(candidates: readonly Candidate[]): number {
  let least = Infinity;
  for (const { rtt } of candidates) if (rtt !== undefined && rtt < least) least = rtt;
  return least;
}

/** Effective weight. Weights of 0 are only here when all are 0: then they are equal. */
function share(candidate: Candidate): number {
  return candidate.weight * candidate.ramp || 1;
}

/** One at random by weight, other than `except`. */
function draw<C extends Candidate>(
  candidates: readonly C[],
  random: () => number,
  except: C | undefined,
): C | undefined {
  let total = 0;
  for (const candidate of candidates) if (candidate !== except) total += share(candidate);
  let rest = random() * total;
  let last: C | undefined;
  for (const candidate of candidates) {
    if (candidate === except) continue;
    last = candidate;
    rest -= share(candidate);
    if (rest < 0) break;
  }
  // Rounding may leave a rest above 0 after the last one.
  return last;
}

/** What the application's own strategy chooses; `undefined` when it is not one of the candidates. */
function ask<C extends Candidate>(
  strategy: (candidates: readonly Candidate[]) => Candidate | undefined,
  candidates: readonly C[],
): C | undefined {
  try {
    // A copy: the caller's array is not the strategy's to sort.
    const chosen = strategy([...candidates]);
    return candidates.find(candidate => candidate === chosen);
  } catch {
    return undefined;
  }
}
