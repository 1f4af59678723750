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
 * Where a field wants a few items of each parent it is `matching()`, since MikroORM's `loadItems` has no `limit` per parent.
 */
export const plainResolvers = {
  Query: queryFields(em => em),

  Mutation: { addVisit },

  Country: {
    languages: (country: Country) => country.languages.load(),
    currencies: (country: Country) => country.currencies.load(),
    neighbours: (country: Country) => country.borders.load(),
    neighbourCount: (country: Country) => country.borders.loadCount(),
    cities: (country: Country, args: CitiesArgs) => country.cities.matching(largestCities(args)),
    cityPages,
    cityCount: (country: Country) => country.cities.loadCount(),
  },

  City: {
    country: (city: City) => city.country.load(),
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
    visits: (city: City, args: Page) => city.visits.matching(latestVisits(args)),
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
    visits: (traveller: Traveller, args: Page) => traveller.visits.matching(latestVisits(args)),
    visitCount: (traveller: Traveller) => traveller.visits.loadCount(),
  },

  Visit: {
    traveller: (visit: Visit) => visit.traveller.load(),
    city: (visit: Visit) => visit.city.load(),
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
