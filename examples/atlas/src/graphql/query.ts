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
    country: (_: unknown, { code }: { code: string }, { em }: Context) =>
      reads(em).findOne(Country, code.toUpperCase()),
    cities: (_: unknown, args: LargestArgs, { em }: Context) =>
      reads(em).find(City, citiesWhere(args), { orderBy: LARGEST_FIRST, ...page(args) }),
    city: (_: unknown, { id }: { id: number }, { em }: Context) => reads(em).findOne(City, id),
    languages: (_: unknown, args: Page, { em }: Context) =>
      reads(em).find(Language, {}, { orderBy: { name: 'asc' }, ...page(args) }),
    language: (_: unknown, { code }: { code: string }, { em }: Context) =>
      reads(em).findOne(Language, code.toLowerCase()),
    currencies: (_: unknown, args: Page, { em }: Context) =>
      reads(em).find(Currency, {}, { orderBy: { name: 'asc' }, ...page(args) }),
    currency: (_: unknown, { code }: { code: string }, { em }: Context) =>
      reads(em).findOne(Currency, code.toUpperCase()),
    travellers: (_: unknown, args: Page, { em }: Context) =>
      reads(em).find(Traveller, {}, { orderBy: { id: 'asc' }, ...page(args) }),
    traveller: (_: unknown, { id }: { id: number }, { em }: Context) => reads(em).findOne(Traveller, id),
    visits: (_: unknown, args: Page, { em }: Context) =>
      reads(em).find(Visit, {}, { orderBy: LATEST_FIRST, ...page(args) }),
  };
}

type LargestArgs = Page & { startsWith?: string | null; country?: string | null };

function citiesWhere({ startsWith, country }: LargestArgs): FilterObject<City> {
  return { ...(country == null ? {} : { country: country.toUpperCase() }), ...nameWhere(startsWith) };
}
