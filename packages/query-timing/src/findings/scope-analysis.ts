import type { Finding } from '../finding.ts';
import type { Model } from '../model.ts';
import type { Scan } from '../sql/scan.ts';
import { CallsSeen } from './calls-seen.ts';
import { Course } from './course.ts';
import { findingsOf, liveFinding } from './findings-of.ts';
import { addHit } from './hits.ts';
import { KeySample } from './key-sample.ts';
import { ModelFacts } from './model-facts.ts';
import { callOf, entitiesTo, hostOf, isBesides } from './own-work.ts';
import { type Group, Repeats } from './repeats.ts';
import type { ScopeView } from './scope-view.ts';
import type { AnalysisSettings, Seen } from './seen.ts';

const NONE: readonly never[] = [];
const MOST_SHAPES = 500;
/** Shapes that are looked for one by one. */
const FEW = 8;
/** From the second query of a shape on, so many are located. */
const MOST_LOCATED = 6;

/**
 * Tells what repeats in one scope, and why. Keeps hashes and numbers of at most 500 shapes: no value, row or record.
 *
 * Everything in `wantsSite` and `add` is done for each query: it has to be cheap, and never throws.
 */
export class ScopeAnalysis {
  readonly #view: ScopeView;
  /** By id, from the ninth on: most scopes have few. */
  #shapes: Map<string, Repeats> | undefined = undefined;
  readonly #inOrder: Repeats[] = [];
  readonly #course = new Course();
  readonly #calls = new CallsSeen();
  /** Whether anything was sent twice: in most scopes nothing is. */
  #hasRepeats = false;
  #found: { readonly at: number; readonly findings: readonly Finding[] } | undefined = undefined;

  /**
   * @param facts what is known of shapes by the model; one for each ORM, given to all its scopes, so that a shape is looked
   *   at once and not once in each scope
   */
  constructor(settings: AnalysisSettings, model: Model, facts: ModelFacts = new ModelFacts(model)) {
    this.#view = { settings, facts, course: this.#course, shapes: this.#inOrder };
  }

  /**
   * Asked before `add`: whether it is worth the price of a stack, as a repeat whose call site is not known well enough, or as
   * a query that others may follow from.
   *
   * @param rows how many it returned
   */
  wantsSite(shape: Scan, rows = 0): boolean {
    if (shape.hasList && shape.kind !== 'select') {
      return false;
    }
    const repeats = this.#of(shape);
    if (repeats !== undefined && repeats.count > 0) {
      return repeats.count < MOST_LOCATED;
    }
    const { settings, facts } = this.#view;
    return (
      rows >= settings.threshold &&
      repeats?.site === undefined &&
      (settings.eagerSites === true || facts.isParent(shape.id))
    );
  }

  /** @returns what has just become certain, so that it can be told live */
  add(seen: Seen): Finding | undefined {
    const { shape, error } = seen.record;
    const course = this.#course;
    course.next(seen.record.fork);
    switch (shape.kind) {
      case 'select':
        if (error !== undefined) {
          course.failed();
          return undefined;
        }
        if (shape.tables.length === 0 || !shape.loneRead) {
          course.wrote(shape);
        }
        return shape.tables.length === 0 ? undefined : this.#read(seen);
      case 'insert':
      case 'update':
      case 'delete':
      case 'merge':
        if (error !== undefined) {
          course.failed();
          return undefined;
        }
        course.wrote(shape);
        return shape.hasList ? undefined : this.#write(seen);
      case 'transaction':
        if (error !== undefined || shape.text.startsWith('rollback')) {
          course.failed();
        }
        return undefined;
      case 'call':
      case 'ddl':
      case 'setting':
      case 'other':
        course.wrote(shape);
        return undefined;
    }
  }

  /** All, when the scope is over (or as far as it has come). */
  findings(): readonly Finding[] {
    if (!this.#hasRepeats) {
      return NONE;
    }
    const { at } = this.#course;
    if (this.#found?.at !== at) {
      this.#found = { at, findings: findingsOf(this.#view) };
    }
    return this.#found.findings;
  }

  #of({ id }: Scan): Repeats | undefined {
    if (this.#inOrder.length > FEW) {
      this.#shapes ??= new Map(this.#inOrder.map(repeats => [repeats.shape.id, repeats]));
      return this.#shapes.get(id);
    }
    for (const repeats of this.#inOrder) {
      if (repeats.shape.id === id) {
        return repeats;
      }
    }
    return undefined;
  }

  #read(seen: Seen): Finding | undefined {
    const { record, rows, operation } = seen;
    const repeats = this.#repeats(seen);
    if (repeats === undefined) {
      return undefined;
    }
    repeats.site ??= record.site;
    repeats.rows += record.rows ?? rows.length;
    if (this.#view.settings.proof && rows.length > 0) {
      this.#sample(repeats, seen);
    }
    const host = hostOf(operation);
    if (host !== undefined) {
      const first = this.#calls.get(host.id);
      if (first !== undefined) {
        repeats.own++;
        repeats.ownTook += record.took;
        repeats.host ??= first;
        repeats.way ??= entitiesTo(operation, host);
        return undefined;
      }
      this.#calls.set(host.id, repeats);
    }
    return isBesides(operation) || (record.batch !== undefined && record.batch > 1)
      ? undefined
      : this.#count(repeats, seen);
  }

  #write(seen: Seen): Finding | undefined {
    const repeats = this.#repeats(seen);
    if (repeats === undefined) {
      return undefined;
    }
    const { operation } = seen;
    // One flush is one write on purpose, however many statements that takes.
    if (operation?.name === 'flush') {
      if (repeats.lastCall === operation.id) {
        return undefined;
      }
      repeats.lastCall = operation.id;
    }
    repeats.site ??= seen.record.site;
    return this.#count(repeats, seen);
  }

  #repeats({ record, operation }: Seen): Repeats | undefined {
    const { shape } = record;
    let repeats = this.#of(shape);
    if (repeats === undefined && this.#inOrder.length < MOST_SHAPES) {
      repeats = new Repeats(
        shape,
        this.#course.at,
        callOf(operation)?.name ?? record.operation,
        operation?.entity ?? record.entity,
      );
      this.#inOrder.push(repeats);
      this.#shapes?.set(shape.id, repeats);
    }
    return repeats;
  }

  #sample(repeats: Repeats, { record: { shape }, rows }: Seen): void {
    repeats.columns ??= this.#view.facts.shape(shape).keyColumns(rows[0]!);
    const samples = (repeats.samples ??= repeats.columns.map(() => new KeySample()));
    for (let index = 0; index < samples.length; index++) {
      samples[index]!.add(rows, repeats.columns[index]!.key);
    }
  }

  #count(repeats: Repeats, seen: Seen): Finding | undefined {
    const { shape } = seen.record;
    if (repeats.count > 0) {
      this.#hasRepeats = true;
      if (repeats.placeholders === undefined && !shape.hasList) {
        repeats.placeholders = this.#view.facts.shape(shape).placeholders(seen.sql);
      }
    }
    const group = addHit(repeats, seen, this.#course);
    return group !== undefined && isWorthALook(group.count, this.#view.settings.threshold)
      ? this.#live(repeats, group)
      : undefined;
  }

  #live(repeats: Repeats, group: Group): Finding | undefined {
    // What was taken for duplicates may come out as more than that; nothing else changes any more.
    if (group.toldAs !== undefined && group.toldAs !== 'duplicate') {
      return undefined;
    }
    const finding = liveFinding(this.#view, repeats, group);
    if (finding === undefined || finding.kind === group.toldAs) {
      return undefined;
    }
    group.toldAs = finding.kind;
    return finding;
  }
}

/** At the threshold, at twice that, and each time there are twice as many. */
function isWorthALook(count: number, threshold: number): boolean {
  return count > 1 && (count === threshold || count === threshold * 2 || (count & (count - 1)) === 0);
}
