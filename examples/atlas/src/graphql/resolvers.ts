import { batch } from '@mikrokit/batch-loader';
import { aggregate, connection, relation } from '@mikrokit/batch-loader/graphql';
import { City, Country, Currency, Language, Traveller, Visit } from '../entities/index.ts';
import { addVisit } from './add-visit.ts';
import { limit, MAX_LIMIT } from './arguments.ts';
import type { Context } from './context.ts';
import { citiesByName, LARGEST_FIRST, largestCities, latestVisits } from './finds.ts';
import { queryFields } from './query.ts';

/**
 * One resolver for each field that is not simply a column. None of them knows of the others: each reads what its own parent
 * needs, as if there were only one. That is N+1 by the book, and left for the extension to deal with.
 */
export const resolvers = {
  Query: queryFields(batch),

  Mutation: { addVisit },

  Country: {
    languages: relation(Country, 'languages'),
    currencies: relation(Country, 'currencies'),
    neighbours: relation(Country, 'borders'),
    neighbourCount: aggregate(Country, 'borders', 'count'),
    cities: relation(Country, 'cities', { find: largestCities }),
    cityPages: connection(Country, 'cities', { find: citiesByName, maxSize: MAX_LIMIT }),
    cityCount: aggregate(Country, 'cities', 'count'),
  },

  City: {
    country: relation(City, 'country'),
    smaller: async (city: City, args: { limit: number }, { em }: Context) => {
      const where = { country: city.country };
      const page = await batch(em).page(City, where, { first: limit(args.limit), after: city, orderBy: LARGEST_FIRST });
      return page.items;
    },
    visits: relation(City, 'visits', { find: latestVisits }),
    visitCount: aggregate(City, 'visits', 'count'),
  },

  Language: {
    countries: relation(Language, 'countries'),
    countryCount: aggregate(Language, 'countries', 'count'),
  },

  Currency: {
    countries: relation(Currency, 'countries'),
    countryCount: aggregate(Currency, 'countries', 'count'),
  },

  Traveller: {
    home: relation(Traveller, 'home'),
    visits: relation(Traveller, 'visits', { find: latestVisits }),
    visitCount: aggregate(Traveller, 'visits', 'count'),
  },

  Visit: {
    traveller: relation(Visit, 'traveller'),
    city: relation(Visit, 'city'),
  },
};
