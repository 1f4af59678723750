import { GraphQLError } from 'graphql';

export const MAX_LIMIT = 1_000;

export interface Page {
  limit: number;
  offset: number;
}

/** The part of a list that was asked for. Throws when it is none, or so large that it can only be a mistake. */
export function page(args: Page): Page {
  if (args.offset < 0) {
    throw badInput(`offset must be 0 or more, but got: ${args.offset}.`);
  }
  return { limit: limit(args.limit, 'Use offset to read on.'), offset: args.offset };
}

export function limit(items: number, remedy = 'Ask for less.'): number {
  if (items < 1 || items > MAX_LIMIT) {
    throw badInput(`limit must be from 1 to ${MAX_LIMIT}, but got: ${items}. ${remedy}`);
  }
  return items;
}

/** A day that exists, as `2026-11-20`. */
export function day(text: string): string {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse reads 30 February as 1 March.
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== text) {
    throw badInput(`day must be a date such as 2026-11-20, but got: "${text}".`);
  }
  return text;
}

/** For `like`: the text itself, in lower case, then anything. */
export function prefixPattern(text: string): string {
  if (text.trim() === '') {
    throw badInput('startsWith must hold at least one letter. Leave it out to get all cities.');
  }
  return `${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
}

/** The client asked for something that makes no sense. */
export function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}
