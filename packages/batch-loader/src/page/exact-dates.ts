/** The part of MikroORM's platform that turns the database's text into a Date. */
interface DateParser {
  parseDate(value: string | number): Date;
}

// Where the product with 1000 is still exact: the years 1717 to 2223.
const MAX_TIME = 8e12;

/**
 * Remembers the microseconds of Dates read from the database. PostgreSQL's timestamps have six digits, a Date three: a
 * cursor made of the Date alone would skip rows of its millisecond, or give them again. With `default now()` every row has
 * such digits.
 *
 * They belong to the Date object that MikroORM made, and are gone with it. A Date that has been set to another time, or was
 * made by somebody else, has none.
 */
export class ExactDates {
  readonly #microseconds = new WeakMap<Date, number>();

  /** Listens to a platform's `parseDate`. To be called once per ORM, from `register(orm)`. */
  install(platform: DateParser): void {
    const parseDate = platform.parseDate.bind(platform);
    platform.parseDate = value => {
      const date = parseDate(value);
      // A fourth digit, of `2024-01-01 12:00:00.1234`.
      if (typeof value === 'string' && value[19] === '.' && isDigit(value.charCodeAt(23)) && date instanceof Date) {
        const rest = Number(/^\d{1,3}/.exec(value.slice(23))![0].padEnd(3, '0'));
        const time = date.getTime();
        if (Math.abs(time) < MAX_TIME) {
          this.#microseconds.set(date, time * 1000 + rest);
        }
      }
      return date;
    };
  }

  /** Microseconds beyond the milliseconds, 0 to 999. */
  microsecondsOf(date: Date): number {
    const exact = this.#microseconds.get(date);
    const rest = exact === undefined ? 0 : exact - date.getTime() * 1000;
    return rest > 0 && rest < 1000 ? rest : 0;
  }
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
