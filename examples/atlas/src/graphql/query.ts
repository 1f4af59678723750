import type { EntityManager, FilterObject } from '@mikro-orm/postgresql';
import { City, Country, Currency, Language, Traveller, Visit } from '../entities/index.ts';
import { badInput, page, type Page } from './arguments.ts';
import type { Context } from './context.ts';
import { LARGEST_FIRST, LATEST_FIRST, nameWhere } from './finds.ts';

/**
 * The fields that a query begins with. A client that asks for `a: country(code: "AUT")` and `b: country(code: "BEL")` calls
 * the resolver twice: with `reads` being `batch`, that is one statement.
 */
export function queryFields(reads: (em: EntityManager) => Pick<EntityManager, 'find' | 'findOne'>) {
  return {
    countries: async (_: unknown, args: Page & { region?: string | null }, { em }: Context) => {
      const where = args.region == null ? {} : { region: args.region };
      const countries = await reads(em).find(Country, where, { orderBy: { name: 'asc' }, ...page(args) });
      if (countries.length === 0 && args.region != null && args.offset === 0) {
        throw badInput(
          `No region is called "${args.region}". There are: Africa, Americas, Antarctic, Asia, Europe, Oceania.`,
        );
      }
      return countries;
    },
    country: async (_: unknown, { code }: { code: string }, { em }: Context) =>
      await reads(em).findOne(Country, code.toUpperCase()),
    cities: async (_: unknown, args: LargestArgs, { em }: Context) =>
      await reads(em).find(City, citiesWhere(args), { orderBy: LARGEST_FIRST, ...page(args) }),
    city: async (_: unknown, { id }: { id: number }, { em }: Context) => await reads(em).findOne(City, id),
    languages: async (_: unknown, args: Page, { em }: Context) =>
      await reads(em).find(Language, {}, { orderBy: { name: 'asc' }, ...page(args) }),
    language: async (_: unknown, { code }: { code: string }, { em }: Context) =>
      await reads(em).findOne(Language, code.toLowerCase()),
    currencies: async (_: unknown, args: Page, { em }: Context) =>
      await reads(em).find(Currency, {}, { orderBy: { name: 'asc' }, ...page(args) }),
    currency: async (_: unknown, { code }: { code: string }, { em }: Context) =>
      await reads(em).findOne(Currency, code.toUpperCase()),
    travellers: async (_: unknown, args: Page, { em }: Context) =>
      await reads(em).find(Traveller, {}, { orderBy: { id: 'asc' }, ...page(args) }),
    traveller: async (_: unknown, { id }: { id: number }, { em }: Context) => await reads(em).findOne(Traveller, id),
    visits: async (_: unknown, args: Page, { em }: Context) =>
      await reads(em).find(Visit, {}, { orderBy: LATEST_FIRST, ...page(args) }),
  };
}

type LargestArgs = Page & { startsWith?: string | null; country?: string | null };

function citiesWhere({ startsWith, country }: LargestArgs): FilterObject<City> {
  return { ...(country == null ? {} : { country: country.toUpperCase() }), ...nameWhere(startsWith) };
}
