import { Histogram } from './histogram.ts';
import type { QueryRecord } from './query-record.ts';
import type { Shape } from './shape.ts';
import { type Scan, scan, type StatementKind } from './sql/scan.ts';
import { detached } from './sql/statement-text.ts';
import { type TransactionControl, transactionControl } from './transaction-control.ts';

/** Most shapes that are told apart; what comes later is counted together. */
export const MOST_SHAPES = 1_000;
/** Most texts of each of the two generations that are recognised without being looked at. */
const MOST_TEXTS = 1_000;
/** Of texts of one length those that are compared before any is looked up. */
const MOST_ALIKE = 4;
/** Characters of a generation's texts: it is over when it has so many, however few texts those are. */
const MOST_CHARACTERS = 500_000;
/** Characters of the texts of all shapes together; from then on only the beginning of each is kept. */
const MOST_SHAPE_CHARACTERS = 2_000_000;
const BEGINNING = 256;
/** Longer ones are scanned each time. */
const LONGEST_TEXT = 16_384;
const MOST_WORST = 3;

/** Class name of the entity of a table, if one is mapped to it. */
export type EntityOf = (table: string) => string | undefined;

/** What queries of one shape cost. */
export class ShapeEntry implements Shape {
  readonly id: string;
  readonly text: string;
  readonly kind: StatementKind;
  readonly tables: readonly string[];
  readonly summary: string;
  readonly loneRead: boolean;
  readonly hasComment: boolean;
  readonly hasList: boolean;
  entity: string | undefined = undefined;
  operation: string | undefined = undefined;
  calls = 0;
  errors = 0;
  rows = 0;
  took = 0;
  wait = 0;
  send = 0;
  database = 0;
  after = 0;
  readonly times: Histogram = new Histogram();
  worst: readonly QueryRecord[] = [];
  firstSeen = 0;
  lastSeen = 0;

  constructor(scanned: Scan) {
    this.id = scanned.id;
    this.text = scanned.text;
    this.kind = scanned.kind;
    this.tables = scanned.tables;
    this.summary = scanned.summary;
    this.loneRead = scanned.loneRead;
    this.hasComment = scanned.hasComment;
    this.hasList = scanned.hasList;
  }

  add(record: QueryRecord): void {
    this.calls++;
    this.took += record.took;
    this.wait += record.wait;
    this.send += record.send;
    this.database += record.database;
    this.after += record.after;
    this.rows += record.rows ?? 0;
    this.times.record(record.took);
    this.lastSeen = record.start;
    if (record.error !== undefined) {
      this.errors++;
    }
    if (this.calls === 1) {
      this.firstSeen = record.start;
    }
    this.entity ??= record.entity;
    this.operation ??= record.operation;
    const { worst } = this;
    if (worst.length < MOST_WORST || record.took > worst[MOST_WORST - 1]!.took) {
      this.worst = [...worst, record].toSorted((a, b) => b.took - a.took).slice(0, MOST_WORST);
    }
  }
}

/** What a text tells. Several texts of one shape may differ in whether there was a list, or a comment. */
export class ShapeText implements Scan {
  readonly id: string;
  readonly text: string;
  readonly kind: StatementKind;
  readonly tables: readonly string[];
  readonly summary: string;
  readonly loneRead: boolean;
  readonly hasComment: boolean;
  readonly hasList: boolean;
  // Private, so that a record can be written as JSON: the entry leads back to records.
  readonly #entry: ShapeEntry;
  readonly #control: TransactionControl | undefined;
  readonly #entityOf: EntityOf;
  #entity: string | undefined = undefined;

  constructor(scanned: Scan, entry: ShapeEntry, entityOf: EntityOf) {
    this.id = scanned.id;
    this.text = entry.id === scanned.id ? entry.text : scanned.text;
    this.kind = scanned.kind;
    this.tables = entry.id === scanned.id ? entry.tables : scanned.tables;
    this.summary = entry.id === scanned.id ? entry.summary : scanned.summary;
    this.loneRead = scanned.loneRead;
    this.hasComment = scanned.hasComment;
    this.hasList = scanned.hasList;
    this.#entry = entry;
    this.#entityOf = entityOf;
    this.#control =
      scanned.kind === 'transaction' || scanned.text.includes(';') ? transactionControl(scanned.text) : undefined;
  }

  /** Class name of the entity of its first table. */
  get entity(): string | undefined {
    const [table] = this.tables;
    if (this.#entity === undefined && table !== undefined) {
      this.#entity = this.#entityOf(table);
    }
    return this.#entity;
  }

  /** What it does to the transaction of its connection, if anything. */
  get control(): TransactionControl | undefined {
    return this.#control;
  }

  /** Where it is counted. */
  get entry(): ShapeEntry {
    return this.#entry;
  }
}

interface Known {
  readonly sql: string;
  readonly text: ShapeText;
}

/** The shapes that were seen: by text for those that come again, by what the text says for the others. */
export class Shapes implements Iterable<ShapeEntry> {
  readonly #entityOf: EntityOf;
  readonly #byId = new Map<string, ShapeEntry>();
  // To compare a text of 500 characters takes a tenth of the time that its hash does, and MikroORM makes each text anew.
  #alike = new Map<number, Known[]>();
  // Two generations instead of a list of what was used when: a hit costs one look-up.
  #texts = new Map<string, ShapeText>();
  #older = new Map<string, ShapeText>();
  /** Characters of the younger generation. */
  #characters = 0;
  #shapeCharacters = 0;
  #dropped = 0;

  constructor(entityOf: EntityOf = () => undefined) {
    this.#entityOf = entityOf;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Of what is kept of texts, in characters. */
  get characters(): number {
    return this.#shapeCharacters + this.#characters * 2;
  }

  /** Queries that were counted under {@link OTHER} instead of a shape of their own. */
  get dropped(): number {
    return this.#dropped;
  }

  [Symbol.iterator](): IterableIterator<ShapeEntry> {
    return this.#byId.values();
  }

  byId(id: string): ShapeEntry | undefined {
    return this.#byId.get(id);
  }

  /** What a text tells, and where it is counted. */
  of(sql: string): ShapeText {
    const alike = this.#alike.get(sql.length);
    if (alike !== undefined) {
      for (const known of alike) {
        if (known.sql === sql) {
          return known.text;
        }
      }
    }
    const text = this.#texts.get(sql) ?? this.#older.get(sql) ?? this.#scanned(sql);
    if (sql.length <= LONGEST_TEXT) {
      this.#remember(sql, text, alike);
    }
    return text;
  }

  #remember(sql: string, text: ShapeText, alike: Known[] | undefined): void {
    if (this.#texts.size >= MOST_TEXTS || this.#characters >= MOST_CHARACTERS) {
      this.#characters = 0;
      this.#older = this.#texts;
      this.#texts = new Map();
      this.#alike.clear();
    }
    if (!this.#texts.has(sql)) {
      this.#characters += sql.length;
    }
    this.#texts.set(sql, text);
    if (alike === undefined) {
      this.#alike.set(sql.length, [{ sql, text }]);
    } else {
      if (alike.length >= MOST_ALIKE) {
        alike.pop();
      }
      alike.unshift({ sql, text });
    }
  }

  clear(): void {
    this.#byId.clear();
    this.#alike.clear();
    this.#texts.clear();
    this.#older.clear();
    this.#characters = 0;
    this.#shapeCharacters = 0;
    this.#dropped = 0;
  }

  #scanned(sql: string): ShapeText {
    let scanned = scan(sql);
    let entry = this.#byId.get(scanned.id);
    if (entry === undefined) {
      if (this.#byId.size >= MOST_SHAPES) {
        this.#dropped++;
        scanned = shortened(scanned);
        entry = this.#other();
      } else {
        scanned = this.#shapeCharacters < MOST_SHAPE_CHARACTERS ? scanned : shortened(scanned);
        this.#shapeCharacters += scanned.text.length;
        entry = new ShapeEntry(scanned);
        this.#byId.set(entry.id, entry);
      }
    }
    return new ShapeText(scanned, entry, this.#entityOf);
  }

  #other(): ShapeEntry {
    let other = this.#byId.get(OTHER);
    if (other === undefined) {
      other = new ShapeEntry({
        id: OTHER,
        text: `(more than ${MOST_SHAPES} shapes: the others together)`,
        kind: 'other',
        tables: [],
        summary: OTHER,
        loneRead: false,
        hasComment: true,
        hasList: false,
      });
      this.#byId.set(OTHER, other);
    }
    return other;
  }
}

function shortened(scanned: Scan): Scan {
  const { text } = scanned;
  return text.length <= BEGINNING ? scanned : { ...scanned, text: detached(`${text.slice(0, BEGINNING - 1)}…`) };
}

/** The shape under which the rest is counted when there are too many. */
export const OTHER = '__other__';
