import { raw, type FilterQuery } from '@mikro-orm/postgresql';
import { City, Country, Currency, Language, Traveller, Visit } from '../entities/index.ts';
import { addVisit } from './add-visit.ts';
import { badInput, page, prefixPattern, type Page } from './arguments.ts';
import type { Context } from './context.ts';

/** Ends in the key, so that pages neither overlap nor leave gaps among equals. */
export const LARGEST_FIRST = { population: 'desc', id: 'asc' } as const;
export const LATEST_FIRST = { day: 'desc', traveller: 'asc', city: 'asc' } as const;

/**
 * One resolver for each field that is not simply a column. None of them knows of the others: each loads what its own
 * parent needs, as if there were only one. That is N+1 by the book, and left for the extension to deal with.
 */
export const resolvers = {
  Query: {
    countries: async (_: unknown, args: Page & { region?: string | null }, { em }: Context) => {
      const where = args.region == null ? {} : { region: args.region };
      const countries = await em.find(Country, where, { orderBy: { name: 'asc' }, ...page(args) });
      if (countries.length === 0 && args.region != null && args.offset === 0) {
        throw badInput(
          `No region is called "${args.region}". There are: Africa, Americas, Antarctic, Asia, Europe, Oceania.`,
        );
      }
      return countries;
    },
    country: (_: unknown, { code }: { code: string }, { em }: Context) => em.findOne(Country, code.toUpperCase()),
    cities: (_: unknown, args: CitiesArgs, { em }: Context) =>
      em.find(City, citiesWhere(args), { orderBy: LARGEST_FIRST, ...page(args) }),
    city: (_: unknown, { id }: { id: number }, { em }: Context) => em.findOne(City, id),
    languages: (_: unknown, args: Page, { em }: Context) =>
      em.find(Language, {}, { orderBy: { name: 'asc' }, ...page(args) }),
    language: (_: unknown, { code }: { code: string }, { em }: Context) => em.findOne(Language, code.toLowerCase()),
    currencies: (_: unknown, args: Page, { em }: Context) =>
      em.find(Currency, {}, { orderBy: { name: 'asc' }, ...page(args) }),
    currency: (_: unknown, { code }: { code: string }, { em }: Context) => em.findOne(Currency, code.toUpperCase()),
    travellers: (_: unknown, args: Page, { em }: Context) =>
      em.find(Traveller, {}, { orderBy: { id: 'asc' }, ...page(args) }),
    traveller: (_: unknown, { id }: { id: number }, { em }: Context) => em.findOne(Traveller, id),
    visits: (_: unknown, args: Page, { em }: Context) => em.find(Visit, {}, { orderBy: LATEST_FIRST, ...page(args) }),
  },

  Mutation: { addVisit },

  Country: {
    languages: (country: Country) => country.languages.load(),
    currencies: (country: Country) => country.currencies.load(),
    neighbours: (country: Country) => country.borders.load(),
    neighbourCount: (country: Country) => country.borders.loadCount(),
    cities: (country: Country, args: Page & { minPopulation: number }) =>
      country.cities.loadItems({ ...page(args), where: atLeast(args.minPopulation), orderBy: LARGEST_FIRST }),
    cityCount: (country: Country) => country.cities.loadCount(),
  },

  City: {
    country: (city: City) => city.country.load(),
    visits: (city: City, args: Page) => city.visits.loadItems({ ...page(args), orderBy: LATEST_FIRST }),
    visitCount: (city: City) => city.visits.loadCount(),
  },

  Language: {
    countries: (language: Language) => language.countries.load(),
    countryCount: (language: Language) => language.countries.loadCount(),
  },

  Currency: {
    countries: (currency: Currency) => currency.countries.load(),
    countryCount: (currency: Currency) => currency.countries.loadCount(),
  },

  Traveller: {
    home: (traveller: Traveller) => traveller.home.load(),
    visits: (traveller: Traveller, args: Page) => traveller.visits.loadItems({ ...page(args), orderBy: LATEST_FIRST }),
    visitCount: (traveller: Traveller) => traveller.visits.loadCount(),
  },

  Visit: {
    traveller: (visit: Visit) => visit.traveller.load(),
    city: (visit: Visit) => visit.city.load(),
  },
};

type CitiesArgs = Page & { startsWith?: string | null; country?: string | null };

function citiesWhere({ startsWith, country }: CitiesArgs): FilterQuery<City> {
  return {
    ...(country == null ? {} : { country: country.toUpperCase() }),
    ...(startsWith == null ? {} : { [raw(alias => `lower(${alias}.name)`)]: { $like: prefixPattern(startsWith) } }),
  };
}

/** No condition at all for 0: every city has at least that many inhabitants. */
export function atLeast(population: number): FilterQuery<City> {
  return population > 0 ? { population: { $gte: population } } : {};
}
