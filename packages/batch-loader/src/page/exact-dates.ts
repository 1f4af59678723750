/** The part of MikroORM's platform that turns the database's text into a Date. */
interface DateParser {
  parseDate(value: string | number): Date;
}

// Where the product with 1000 is still exact: the years 1717 to 2223.
const MAX_TIME = 8e12;

/** A constructor whose object is the Date it is given. */
const Given = function (date: Date) {
  return date;
} as unknown as new (date: Date) => object;

/**
 * Puts a private field on a Date. Nobody sees it, it is not copied, and it is gone with the Date, like the entry of a WeakMap;
 * but it takes a quarter of the time (0.25 µs instead of 1 µs), and every Date that is read has to have one.
 */
class Exact extends Given {
  readonly #microseconds: number;

  constructor(date: Date, microseconds: number) {
    super(date);
    this.#microseconds = microseconds;
  }

  static of(date: Date): number | undefined {
    return #microseconds in date ? (date as unknown as Exact).#microseconds : undefined;
  }
}

/**
 * Remembers the microseconds of Dates read from the database. PostgreSQL's timestamps have six digits, a Date three: a
 * cursor made of the Date alone would skip rows of its millisecond, or give them again. With `default now()` every row has
 * such digits.
 *
 * They belong to the Date object that MikroORM made, and are gone with it. A Date that has been set to another time, or was
 * made by somebody else, has none.
 */
export class ExactDates {
  /** Listens to a platform's `parseDate`. To be called once per ORM, from `register(orm)`. */
  install(platform: DateParser): void {
    const parseDate = platform.parseDate.bind(platform);
    platform.parseDate = value => {
      const date = parseDate(value);
      // A fourth digit, of `2024-01-01 12:00:00.1234`.
      if (typeof value === 'string' && value[19] === '.' && digit(value, 23) !== undefined && date instanceof Date) {
        const time = date.getTime();
        if (Math.abs(time) < MAX_TIME) {
          const rest = digit(value, 23)! * 100 + (digit(value, 24) ?? 0) * 10 + (digit(value, 25) ?? 0);
          new Exact(date, time * 1000 + rest);
        }
      }
      return date;
    };
  }

  /** Microseconds beyond the milliseconds, 0 to 999. */
  microsecondsOf(date: Date): number {
    const exact = Exact.of(date);
    const rest = exact === undefined ? 0 : exact - date.getTime() * 1000;
    return rest > 0 && rest < 1000 ? rest : 0;
  }
}

function digit(text: string, index: number): number | undefined {
  // NaN beyond the end.
  const value = text.charCodeAt(index) - 48;
  return value >= 0 && value <= 9 ? value : undefined;
}
