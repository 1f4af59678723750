import type { EntryRow, Facts } from './facts.ts';
import type { Figures, Percentiles } from './figures.ts';
import type { Event, NodeEvent, ReadEvent, WriteEvent } from './journal.ts';
import { keysOwner } from './registers.ts';

/** From when on reads count as after the fault, in ms after it. */
const SETTLED = 1_000;
/** A read that takes longer was hurt, in ms. */
const HURT = 1_000;
/** How long after a promotion a process has to know of it that does not tell, in ms. */
const KNOWS = 2_000;
/** Nothing is said of how soon a node is ejected that is gone for no longer than this, in ms. */
const SHORT = 500;
const MOST_EXAMPLES = 5;
/** States in which a node is given reads. */
const SERVING = ['up', 'warming'];

/** Judges what several processes have seen, against what the servers have in the end. */
export function judge(facts: Facts): Figures {
  const { moments, faulty, ports, primary } = facts;
  const events = facts.journals.flat();
  const reads = events.filter(event => event.kind === 'read');
  const writes = events.filter(event => event.kind === 'write');
  const { fault = Infinity, promoted = Infinity } = moments;
  const healed = moments.healed ?? promoted;
  const during = (time: number): boolean => time >= fault && time < healed;
  const answered = reads.filter(read => read.port !== undefined);
  const faultyPorts = faulty.map(name => ports[name]!);
  const onFaulty = (read: ReadEvent): boolean => faultyPorts.includes(read.port!);
  const onReplica = (read: ReadEvent): boolean =>
    read.port !== ports[read.start < promoted ? primary.before : primary.after];
  const losses = lossesOf(facts, writes);
  const { stale, examples } = staleOf(facts, writes, losses.missing);
  const quick = answered.filter(read => !read.slow);
  const firstAgain = Math.max(...faultyPorts.map(port => firstOn(port, answered, healed)));
  return {
    id: facts.id,
    title: facts.title,
    subject: facts.subject,
    measured: facts.measured,
    reads: reads.length,
    elsewhere: sum(facts.journals.map((journal, worker) => elsewhere(journal, worker))),
    failedReads: reads.length - answered.length,
    stale,
    writes: writes.length,
    failedWrites: writes.filter(({ outcome }) => outcome === 'failed').length,
    unknown: writes.filter(({ outcome }) => outcome === 'unknown').length,
    mislabelled: losses.mislabelled,
    tokenless: writes.filter(({ tokenless }) => tokenless).length,
    lost: losses.lost,
    lostAsync: losses.lostAsync,
    misrouted: losses.misrouted,
    onReplicas: share(answered, onReplica),
    onReplicasDuring: share(
      answered.filter(({ start }) => during(start)),
      onReplica,
    ),
    onFaulty: share(
      answered.filter(({ start }) => start > fault + SETTLED && start < healed),
      onFaulty,
    ),
    onHealed: share(
      answered.filter(read => read.end >= firstAgain && read.start < firstAgain + 2_000 && onReplica(read)),
      onFaulty,
    ),
    ejectMs:
      healed - fault < SHORT
        ? 0
        : worst(facts.journals.flatMap(journal => faulty.map(name => ejectedAfter(journal, name, fault, healed)))),
    lastHurtMs: worst(
      reads
        .filter(read => during(read.start) && !read.slow && (read.error !== undefined || read.end - read.start > HURT))
        .map(read => read.start - fault),
    ),
    worstReadMs: worst(reads.filter(read => !read.slow && read.end >= fault).map(read => read.end - read.start)),
    recoverMs: faulty.length === 0 ? 0 : firstAgain - healed,
    detectMs: Number.isFinite(promoted)
      ? worst(facts.journals.map(journal => knewAt(journal, promoted) - promoted))
      : 0,
    resumeMs: Number.isFinite(promoted) ? worst(facts.journals.map(journal => resumed(facts, journal) - promoted)) : 0,
    writeGapMs: longestGap(writes, moments),
    downs: worst(
      facts.journals.map(journal => changes(journal, faulty, during).filter(({ to }) => to === 'down').length),
    ),
    stateChanges: worst(facts.journals.map(journal => changes(journal, faulty, during).length)),
    fallback: worst(events.filter(event => event.kind === 'budget').map(({ inUse }) => inUse)),
    overBudget: worst(events.filter(event => event.kind === 'budget').map(({ inUse, limit }) => inUse - limit)),
    unhandled: events.filter(event => event.kind === 'unhandled').length,
    held: facts.held,
    stuck: facts.stuck,
    broken: facts.failures.length,
    before: percentiles(quick.filter(({ start, end }) => start >= moments.begun && end < fault)),
    during: percentiles(quick.filter(({ start, end }) => end >= fault && start < healed)),
    after: percentiles(quick.filter(({ start }) => start >= healed + SETTLED)),
    errors: [...facts.failures, ...mostFrequent(events)],
    examples,
    states: statesOf(facts),
  };
}

/** Everything about what the servers have in the end. */
function lossesOf(
  { journals, entries, oldEntries, moments }: Facts,
  writes: readonly WriteEvent[],
): { missing: Set<string>; lost: number; lostAsync: number; misrouted: number; mislabelled: number } {
  const there = new Set(entries.map(nameOf));
  const anywhere = new Set([...there, ...oldEntries.map(nameOf)]);
  const missing = new Set<string>();
  let [lost, lostAsync, misrouted] = [0, 0, 0];
  journals.forEach((journal, worker) => {
    const known = moments.promoted === undefined ? undefined : knewOrShould(journal, moments.promoted);
    for (const event of journal) {
      if (event.kind === 'write' && event.outcome === 'acked' && !there.has(nameOf(event))) {
        missing.add(nameOf(event));
        if (known !== undefined && event.start < known) {
          lostAsync += 1;
        } else {
          lost += 1;
        }
      }
    }
    misrouted += oldEntries.filter(
      entry => entry.writer === `worker-${worker}` && entry.sent > (known ?? Infinity) && !there.has(nameOf(entry)),
    ).length;
  });
  const mislabelled = writes.filter(write => write.outcome === 'failed' && anywhere.has(nameOf(write))).length;
  return { missing, lost, lostAsync, misrouted, mislabelled };
}

/** Reads that found less than a version of which they were told, unless nobody has it any more. */
function staleOf(
  { journals, ports, moments }: Facts,
  writes: readonly WriteEvent[],
  missing: ReadonlySet<string>,
): { stale: number; examples: string[] } {
  const kept = Map.groupBy(
    writes.filter(write => write.outcome === 'acked' && !missing.has(nameOf(write))),
    ({ key }) => key,
  );
  const names = new Map(Object.entries(ports).map(([name, port]) => [port, name]));
  const since = (time: number): string => `${(time - (moments.fault ?? moments.begun)).toFixed(1)} ms`;
  const examples: string[] = [];
  let stale = 0;
  journals.forEach((journal, worker) => {
    for (const event of journal) {
      if (event.kind !== 'read' || event.version === undefined || event.version >= event.required) {
        continue;
      }
      const { key, required, version, port, start, end } = event;
      // The last of its versions, up to the one asked for, that is still there.
      const due = (kept.get(key) ?? []).findLast(write => write.version <= required);
      if (due !== undefined && version < due.version) {
        stale += 1;
        examples.push(
          `worker-${worker} read version ${version} of ${key} on ${names.get(port!)}, from ${since(start)} to ${since(end)}; ` +
            `version ${due.version} was written from ${since(due.start)} to ${since(due.end)}`,
        );
      }
    }
  });
  return { stale, examples: examples.slice(0, MOST_EXAMPLES) };
}

const nameOf = ({ key, version }: Pick<EntryRow, 'key' | 'version'>): string => `${key}:${version}`;

function elsewhere(journal: readonly Event[], worker: number): number {
  return journal.filter(event => event.kind === 'read' && event.required > 0 && keysOwner(event.key) !== worker).length;
}

/** When a process stopped giving reads to a node, before `until`; `Infinity` when it did not, or gives it reads again. */
function leftAt(journal: readonly Event[], node: string, from: number, until: number): number {
  let left = Infinity;
  for (const event of journal) {
    if (event.kind === 'node' && event.node === node && event.at >= from && event.at < until) {
      left = SERVING.includes(event.to) ? Infinity : Math.min(left, event.at);
    }
  }
  return left;
}

/** How long a process gave reads to a node after the fault, or after the process could know: when connections broke. */
function ejectedAfter(journal: readonly Event[], node: string, fault: number, healed: number): number {
  const lost = journal.find(event => event.kind === 'lost' && event.node === node && event.at >= fault);
  const left = leftAt(journal, node, fault, healed);
  return Math.max(0, left - (lost?.kind === 'lost' ? lost.at : fault));
}

function statesOf({ journals, moments }: Facts): string[] {
  const since = moments.fault ?? moments.begun;
  return journals.flatMap((journal, worker) =>
    journal
      .filter(event => event.kind === 'node')
      .map(
        ({ at, node, from, to, why }) =>
          `worker-${worker} ${(at - since).toFixed(0)} ms ${node} ${from} → ${to}: ${why}`,
      ),
  );
}

function changes(journal: readonly Event[], nodes: readonly string[], when: (at: number) => boolean): NodeEvent[] {
  return journal.filter(event => event.kind === 'node').filter(({ node, at }) => nodes.includes(node) && when(at));
}

/** When a process has told that it knows of the new primary. It may know before the promotion has ended. */
function knewAt(journal: readonly Event[], promoted: number): number {
  const heard = journal.find(event => event.kind === 'primary' && event.at > promoted - KNOWS);
  return heard?.kind === 'primary' ? heard.at : Infinity;
}

function knewOrShould(journal: readonly Event[], promoted: number): number {
  const at = knewAt(journal, promoted);
  return Number.isFinite(at) ? at : promoted + KNOWS;
}

/** When a process's first write to the new primary was acknowledged. */
function resumed({ entries, moments }: Facts, journal: readonly Event[]): number {
  const there = new Set(entries.map(nameOf));
  const first = journal.find(
    event =>
      event.kind === 'write' &&
      event.outcome === 'acked' &&
      event.end > (moments.promoted ?? Infinity) &&
      there.has(nameOf(event)),
  );
  return first?.kind === 'write' ? first.end : Infinity;
}

function firstOn(port: number, reads: readonly ReadEvent[], from: number): number {
  return reads.reduce(
    (first, read) => (read.port === port && read.start >= from ? Math.min(first, read.end) : first),
    Infinity,
  );
}

function longestGap(writes: readonly WriteEvent[], { begun, ended }: Facts['moments']): number {
  const acks = writes.filter(({ outcome }) => outcome === 'acked').map(({ end }) => end);
  const times = [begun, ...acks.filter(at => at > begun).toSorted((a, b) => a - b), ended];
  return worst(times.slice(1).map((time, index) => time - times[index]!));
}

function percentiles(reads: readonly ReadEvent[]): Percentiles {
  const took = reads.map(({ start, end }) => end - start).toSorted((a, b) => a - b);
  const at = (part: number): number => took[Math.min(took.length - 1, Math.floor(took.length * part))] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function mostFrequent(events: readonly Event[]): string[] {
  const said = events.flatMap(event =>
    'error' in event && event.error !== undefined ? [`${event.kind}: ${event.error}`] : [],
  );
  return [...Map.groupBy(said, text => text)]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([text, all]) => `${all.length} × ${text}`);
}

const share = <T>(all: readonly T[], of: (one: T) => boolean): number =>
  all.length === 0 ? 0 : all.filter(of).length / all.length;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
/** 0 when there are none. */
const worst = (numbers: readonly number[]): number => numbers.reduce((most, number) => Math.max(most, number), 0);
