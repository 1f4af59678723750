/**
 * What the resolver thinks of a node.
 * - `unknown`: not probed yet, or its lag is not known yet; `warming`: healthy, its share of reads grows (slow start); `up`;
 * - `lagging`: further behind than `maxLag`; `suspect`: a soft fault, probed now; `down`; `draining`: by hand, or shutting down;
 * - `candidate-primary`: was a replica and takes writes; `primary`; `fenced`: must not be used (an old primary, a stranger).
 */
export type NodeState =
  | 'unknown'
  | 'warming'
  | 'up'
  | 'lagging'
  | 'suspect'
  | 'down'
  | 'draining'
  | 'candidate-primary'
  | 'primary'
  | 'fenced';

/** What becomes of a node that is suspect or draining when it turns out to be well. */
type Resume = 'unknown' | 'warming' | 'up' | 'lagging';

/** Outcomes of statements since the first fault, in two halves of `HALF_WINDOW`. */
interface Outcomes {
  /** When the later half began. */
  readonly start: number;
  readonly faults: number;
  readonly total: number;
  readonly earlierFaults: number;
  readonly earlierTotal: number;
}

/** All that is remembered of a node's health. Immutable. Times are monotonic ms, of the clock that `step` is given. */
export interface NodeHealth {
  readonly state: NodeState;
  /** When it came to this state. */
  readonly since: number;
  /** Why it is in this state. */
  readonly why: string;
  /** Drained by hand. It outlives `down` and `primary`: the node does not serve reads until it is undrained. */
  readonly drained: boolean;
  /** While `down`: when the monitor should probe it next. */
  readonly probeAt: number;
  /** Failed probes in a row; a relapse soon after a recovery goes on counting. The argument of `backoff`. */
  readonly failedProbes: number;
  /** Beats missed in a row. */
  readonly missed: number;
  /** Soft faults in a row, with no success between them. */
  readonly softFaults: number;
  /** Beats in a row below half the lag limit, while `lagging`. */
  readonly beatsBelowHalf: number;
  /** `undefined` while there was no fault in the last 10 s: then a success is not worth remembering. */
  readonly outcomes: Outcomes | undefined;
  /** When it began to warm. */
  readonly warmedAt: number;
  /** When it was last found well after being down. */
  readonly recoveredAt: number;
  /** Beats it must still answer before a shutdown it announced is no longer believed. */
  readonly leaving: number;
  /** What it returns to from `suspect` and `draining`. */
  readonly resume: Resume;
}

/** What happens to a node. */
export type NodeEvent =
  /**
   * A probe was answered. `lag` in ms, `undefined` when it is not known; `cold`: no node has served yet, all start together,
   * so that there is nothing to spare this one from (no slow start); `wanted`: nobody else serves, so that it may come back
   * before its backoff is over.
   */
  | {
      readonly type: 'beat';
      readonly role: 'primary' | 'replica';
      readonly lag: number | undefined;
      readonly cold?: boolean;
      readonly wanted?: boolean;
    }
  /** A probe failed, or was not answered in time. */
  | { readonly type: 'missed'; readonly why: string }
  /** A user's statement or connection failed through the node's fault. Trap: a failed probe of a node that is down is `missed`. */
  | { readonly type: 'fault'; readonly severity: 'hard' | 'soft'; readonly why: string }
  /** A user's statement was answered. */
  | { readonly type: 'success' }
  /** By hand: no more reads. */
  | { readonly type: 'drain' }
  | { readonly type: 'undrain' }
  /** The server ended a connection by an administrator's command (57P01): it shuts down, or only that connection was ended. */
  | { readonly type: 'shutting-down'; readonly why: string }
  /** It was elected; the fence of an old primary ends with that. */
  | { readonly type: 'primary' }
  /** It must not be used. */
  | { readonly type: 'fence'; readonly why: string }
  | { readonly type: 'unfence' };

/** What the states depend on. */
export interface NodeSettings {
  /** Most ms a replica may be behind. */
  readonly maxLag: number;
  /** How long a node's share grows after a recovery, in ms; 0 for no slow start. */
  readonly slowStart: number;
  /** How many ms to wait before the next probe of a node that is down. @param attempt 0 for the first */
  readonly backoff: (attempt: number) => number;
}

/** Missed beats in a row that mean `down`. */
const MISSED_LIMIT = 2;
/** Soft faults in a row that mean `down`. */
const SOFT_FAULT_LIMIT = 3;
/** Fewest outcomes of which a share of faults says something. */
const OUTCOMES_MIN = 10;
/** Half of the 10 s that outcomes are remembered, in ms. */
const HALF_WINDOW = 5_000;
/** Beats below half the lag limit that mean `up`. */
const BEATS_BELOW_HALF = 3;
/** One beat may have been under way when the shutdown was announced; the second was not. */
const LEAVING_BEATS = 2;
/** A node that goes down sooner than this after a recovery has not recovered: its backoff goes on, in ms. */
const STEADY = 10_000;
/** What slow start begins with. */
const RAMP_START = 0.1;

/** Health of a node that nothing is known of. @param now monotonic ms */
export function initialHealth(now: number): NodeHealth {
  return {
    state: 'unknown',
    since: now,
    why: 'not probed yet',
    drained: false,
    probeAt: now,
    failedProbes: 0,
    missed: 0,
    softFaults: 0,
    beatsBelowHalf: 0,
    outcomes: undefined,
    warmedAt: now,
    recoveredAt: -Infinity,
    leaving: 0,
    resume: 'unknown',
  };
}

/**
 * Whether a node in this state may get reads. A `suspect` one may not: to use it while nothing else serves is the caller's
 * decision, and so is reading on the primary.
 */
export function serves(state: NodeState): boolean {
  return state === 'up' || state === 'warming';
}

/** What slow start leaves of a node's weight: 0.1 to 1 over `slowStart` ms while it is warming, otherwise 1. */
export function rampOf(health: NodeHealth, now: number, settings: NodeSettings): number {
  if (health.state !== 'warming' || !(settings.slowStart > 0)) return 1;
  const share = (now - health.warmedAt) / settings.slowStart;
  return Math.min(1, RAMP_START + (1 - RAMP_START) * share);
}

/**
 * Health after an event. Pure.
 *
 * A node that is down comes back only by a beat at or after `probeAt`, so that a flapping one changes its state no more often
 * than the backoff lets it. Only a beat that says `primary` is heard earlier: a failover must not wait.
 * @param now monotonic ms, not less than before
 * @returns the same object when nothing has changed (a success of a node without recent faults always)
 */
export function step(health: NodeHealth, event: NodeEvent, now: number, settings: NodeSettings): NodeHealth {
  switch (event.type) {
    case 'success':
      return succeed(health, now);
    case 'drain':
      return drain(health, now);
    case 'undrain':
      return undrain(health, now);
    case 'unfence':
      return health.state === 'fenced' ? { ...initialHealth(now), why: 'unfenced', drained: health.drained } : health;
    default:
  }
  // Whoever is elected is on the newest timeline, whatever it was before.
  if (health.state === 'fenced' && event.type !== 'primary') return health;
  switch (event.type) {
    case 'fence':
      return to(health, 'fenced', now, event.why);
    case 'primary':
      return health.state === 'primary' ? health : to({ ...health, ...CLEAN }, 'primary', now, 'elected');
    case 'beat':
      return event.role === 'primary' ? claim(health, now) : beat(health, event, now, settings);
    case 'missed':
      return miss(health, event.why, now, settings);
    case 'fault':
      return event.severity === 'hard'
        ? fall(health, event.why, now, settings)
        : falter(health, event.why, now, settings);
    case 'shutting-down':
      return leave(health, event.why, now);
    default:
      return event satisfies never;
  }
}

/** What a node that comes from elsewhere does not bring along. */
const CLEAN = {
  missed: 0,
  softFaults: 0,
  beatsBelowHalf: 0,
  outcomes: undefined,
  leaving: 0,
} as const satisfies Partial<NodeHealth>;

type ReplicaBeat = Extract<NodeEvent, { type: 'beat' }>;

function to(health: NodeHealth, state: NodeState, now: number, why: string): NodeHealth {
  return { ...health, state, since: now, why };
}

/** Whether a node in this state becomes suspect by a fault, and returns to it. */
function isReplicaInUse(state: NodeState): state is 'warming' | 'up' | 'lagging' {
  return state === 'warming' || state === 'up' || state === 'lagging';
}

function resumeOf(health: NodeHealth): Resume {
  return health.state === 'unknown' || isReplicaInUse(health.state) ? health.state : health.resume;
}

function succeed(health: NodeHealth, now: number): NodeHealth {
  if (health.softFaults === 0 && health.outcomes === undefined) return health;
  return { ...health, softFaults: 0, outcomes: count(health.outcomes, now, 0) };
}

/** A beat that says `primary`. It says nothing of who else does, so that it makes a candidate; the election does the rest. */
function claim(health: NodeHealth, now: number): NodeHealth {
  if (health.state !== 'primary' && health.state !== 'candidate-primary') {
    return to({ ...health, ...CLEAN }, 'candidate-primary', now, 'it takes writes');
  }
  if (health.missed === 0 && health.leaving === 0) return health;
  return { ...health, missed: 0, leaving: Math.max(0, health.leaving - 1) };
}

/** A beat that says `replica`. */
function beat(health: NodeHealth, event: ReplicaBeat, now: number, settings: NodeSettings): NodeHealth {
  switch (health.state) {
    case 'down':
      return now < health.probeAt && event.wanted !== true
        ? health
        : admit({ ...health, recoveredAt: now }, event, now, settings, 'it answers again');
    case 'unknown':
      return admit(health, event, now, settings, 'it answers');
    case 'primary':
      return admit(health, event, now, settings, 'it was demoted');
    case 'candidate-primary':
      return admit(health, event, now, settings, 'it is a replica again');
    case 'draining':
      return beatOfDraining(health, event, now, settings);
    case 'suspect':
      return follow({ ...to(health, health.resume, now, 'it answers again'), missed: 0 }, event.lag, now, settings);
    default:
      return follow(health.missed === 0 ? health : { ...health, missed: 0 }, event.lag, now, settings);
  }
}

/** A node that did not serve, and is well. */
function admit(
  health: NodeHealth,
  { lag, cold }: ReplicaBeat,
  now: number,
  settings: NodeSettings,
  why: string,
): NodeHealth {
  const clean = { ...health, ...CLEAN, warmedAt: now };
  if (health.drained) return { ...to(clean, 'draining', now, 'drained by hand'), resume: resumeBy(lag, settings) };
  if (lag === undefined) {
    if (health.state === 'unknown') return health.missed === 0 ? health : { ...health, missed: 0 };
    return to(clean, 'unknown', now, 'its lag is not known yet');
  }
  if (lag > settings.maxLag) return to(clean, 'lagging', now, tooFar(lag, settings));
  return to(clean, cold ? 'up' : 'warming', now, why);
}

function resumeBy(lag: number | undefined, settings: NodeSettings): Resume {
  if (lag === undefined) return 'unknown';
  return lag > settings.maxLag ? 'lagging' : 'warming';
}

function beatOfDraining(health: NodeHealth, event: ReplicaBeat, now: number, settings: NodeSettings): NodeHealth {
  const leaving = Math.max(0, health.leaving - 1);
  if (!health.drained && leaving === 0) {
    const back = { ...health, leaving, missed: 0 };
    const why = 'it did not shut down';
    if (health.resume === 'unknown') return admit(back, event, now, settings, why);
    return follow(to(back, health.resume, now, why), event.lag, now, settings);
  }
  const resume = event.lag === undefined || !health.drained ? health.resume : resumeBy(event.lag, settings);
  if (leaving === health.leaving && resume === health.resume && health.missed === 0) return health;
  return { ...health, leaving, resume, missed: 0 };
}

/** What a beat changes in a node that is warming, up or lagging. */
function follow(health: NodeHealth, lag: number | undefined, now: number, settings: NodeSettings): NodeHealth {
  if (health.state === 'lagging') {
    const below = lag !== undefined && lag < settings.maxLag / 2 ? health.beatsBelowHalf + 1 : 0;
    if (below === health.beatsBelowHalf) return health;
    const counted = { ...health, beatsBelowHalf: below };
    return below < BEATS_BELOW_HALF ? counted : to(counted, 'up', now, 'it has caught up');
  }
  // A lag that is not known is not held against a node in use: often it is the primary that does not answer.
  if (lag !== undefined && lag > settings.maxLag) {
    return { ...to(health, 'lagging', now, tooFar(lag, settings)), beatsBelowHalf: 0 };
  }
  if (health.state === 'warming' && now - health.warmedAt >= settings.slowStart) {
    return to(health, 'up', now, 'slow start is over');
  }
  return health;
}

function tooFar(lag: number, settings: NodeSettings): string {
  return `${Math.round(lag)} ms behind, more than maxLag (${settings.maxLag} ms)`;
}

function miss(health: NodeHealth, why: string, now: number, settings: NodeSettings): NodeHealth {
  if (health.state === 'down') {
    const failedProbes = health.failedProbes + 1;
    return { ...health, why, failedProbes, probeAt: now + settings.backoff(failedProbes) };
  }
  const missed = health.missed + 1;
  // A suspect is probed to be sure: the probe that fails is the proof.
  if (health.state === 'suspect' || health.leaving > 0 || missed >= MISSED_LIMIT) {
    return fall(health, why, now, settings);
  }
  const counted = { ...health, missed };
  return isReplicaInUse(health.state) ? suspect(counted, health.state, why, now) : counted;
}

function suspect(health: NodeHealth, resume: Resume, why: string, now: number): NodeHealth {
  return { ...to(health, 'suspect', now, why), resume };
}

/** To `down`. */
function fall(health: NodeHealth, why: string, now: number, settings: NodeSettings): NodeHealth {
  // Statements that were under way when it fell tell nothing new.
  if (health.state === 'down') return health;
  const steady = now - health.recoveredAt >= Math.max(STEADY, settings.slowStart);
  const failedProbes = steady ? 0 : health.failedProbes + 1;
  return {
    ...to(health, 'down', now, why),
    failedProbes,
    probeAt: now + settings.backoff(failedProbes),
  };
}

/** A soft fault. It says little of a primary: without one nothing can be written, so that only its beats decide. */
function falter(health: NodeHealth, why: string, now: number, settings: NodeSettings): NodeHealth {
  if (!isReplicaInUse(health.state) && health.state !== 'suspect') return health;
  const softFaults = health.softFaults + 1;
  const outcomes = count(health.outcomes, now, 1);
  if (softFaults >= SOFT_FAULT_LIMIT || mostlyFaults(outcomes)) return fall(health, why, now, settings);
  const counted = { ...health, softFaults, outcomes };
  return isReplicaInUse(health.state) ? suspect(counted, health.state, why, now) : counted;
}

/** Adds an outcome. The window is the last 5 to 10 s, and never begins before the first fault. */
function count(outcomes: Outcomes | undefined, now: number, fault: 0 | 1): Outcomes | undefined {
  const age = outcomes === undefined ? Infinity : now - outcomes.start;
  if (outcomes === undefined || age >= 2 * HALF_WINDOW) {
    return fault === 0 ? undefined : { start: now, faults: 1, total: 1, earlierFaults: 0, earlierTotal: 0 };
  }
  if (age < HALF_WINDOW) return { ...outcomes, faults: outcomes.faults + fault, total: outcomes.total + 1 };
  if (fault === 0 && outcomes.faults === 0) return undefined;
  return {
    start: outcomes.start + HALF_WINDOW,
    faults: fault,
    total: 1,
    earlierFaults: outcomes.faults,
    earlierTotal: outcomes.total,
  };
}

function mostlyFaults(outcomes: Outcomes | undefined): boolean {
  if (outcomes === undefined) return false;
  const total = outcomes.total + outcomes.earlierTotal;
  return total >= OUTCOMES_MIN && (outcomes.faults + outcomes.earlierFaults) * 2 > total;
}

/** It says that it shuts down. One killed connection says the same, so that beats can prove it wrong. */
function leave(health: NodeHealth, why: string, now: number): NodeHealth {
  if (health.state === 'down' || health.leaving === LEAVING_BEATS) return health;
  const leaving = { ...health, leaving: LEAVING_BEATS };
  // Without a primary nothing can be written: it stays one until a beat is missed.
  if (health.state === 'primary' || health.state === 'candidate-primary' || health.state === 'draining') return leaving;
  return { ...to(leaving, 'draining', now, why), resume: resumeOf(health) };
}

function drain(health: NodeHealth, now: number): NodeHealth {
  if (health.drained) return health;
  const drained = { ...health, drained: true };
  if (health.state !== 'unknown' && health.state !== 'suspect' && !isReplicaInUse(health.state)) return drained;
  return { ...to(drained, 'draining', now, 'drained by hand'), resume: resumeOf(health) };
}

function undrain(health: NodeHealth, now: number): NodeHealth {
  if (!health.drained) return health;
  const taken = { ...health, drained: false };
  if (health.state !== 'draining' || health.leaving > 0) return taken;
  const state = health.resume === 'up' ? 'warming' : health.resume;
  return { ...to(taken, state, now, 'undrained'), warmedAt: now, beatsBelowHalf: 0 };
}
