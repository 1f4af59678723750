import { City, type Country, type Currency, type Language, type Traveller, type Visit } from '../entities/index.ts';
import { addVisit } from './add-visit.ts';
import { limit, type Page } from './arguments.ts';
import type { Context } from './context.ts';
import {
  citiesByName,
  LARGEST_FIRST,
  largestCities,
  latestVisits,
  type CitiesArgs,
  type CityPagesArgs,
} from './finds.ts';
import { queryFields } from './query.ts';

/**
 * The same fields with MikroORM alone, for the tour to compare with.
 *
 * Each waits for what it asks for: a function that hands on the promise is not on the stack when query-timing looks for the
 * line that has called.
 *
 * Where a field wants a few items of each parent it is `matching()`, since MikroORM's `loadItems` has no `limit` per parent.
 */
export const plainResolvers = {
  Query: queryFields(em => em),

  Mutation: { addVisit },

  Country: {
    languages: async (country: Country) => await country.languages.load(),
    currencies: async (country: Country) => await country.currencies.load(),
    neighbours: async (country: Country) => await country.borders.load(),
    neighbourCount: async (country: Country) => await country.borders.loadCount(),
    cities: async (country: Country, args: CitiesArgs) => await country.cities.matching(largestCities(args)),
    cityPages,
    cityCount: async (country: Country) => await country.cities.loadCount(),
  },

  City: {
    country: async (city: City) => await city.country.load(),
    smaller: async (city: City, args: { limit: number }, { em }: Context) => {
      const page = await em.findByCursor(City, {
        where: { country: city.country },
        first: limit(args.limit),
        after: { population: city.population, id: city.id },
        orderBy: LARGEST_FIRST,
        includeCount: false,
      });
      return page.items;
    },
    visits: async (city: City, args: Page) => await city.visits.matching(latestVisits(args)),
    visitCount: async (city: City) => await city.visits.loadCount(),
  },

  Language: {
    countries: async (language: Language) => await language.countries.load(),
    countryCount: async (language: Language) => await language.countries.loadCount(),
  },

  Currency: {
    countries: async (currency: Currency) => await currency.countries.load(),
    countryCount: async (currency: Currency) => await currency.countries.loadCount(),
  },

  Traveller: {
    home: async (traveller: Traveller) => await traveller.home.load(),
    visits: async (traveller: Traveller, args: Page) => await traveller.visits.matching(latestVisits(args)),
    visitCount: async (traveller: Traveller) => await traveller.visits.loadCount(),
  },

  Visit: {
    traveller: async (visit: Visit) => await visit.traveller.load(),
    city: async (visit: Visit) => await visit.city.load(),
  },
};

async function cityPages(country: Country, args: CityPagesArgs, { em }: Context) {
  const { where, orderBy } = citiesByName(args);
  const page = await em.findByCursor(City, {
    where: { country, ...where },
    orderBy,
    first: args.first,
    ...(args.after == null ? {} : { after: args.after }),
  });
  const { items, totalCount, startCursor, endCursor, hasNextPage, hasPrevPage } = page;
  return {
    edges: items.map(node => ({ node, cursor: page.from(node) })),
    nodes: items,
    pageInfo: { startCursor, endCursor, hasNextPage, hasPreviousPage: hasPrevPage },
    totalCount,
  };
}
