import type { City, Country, Traveller } from '../entities/index.ts';
import { page, type Page } from './arguments.ts';
import { atLeast, LARGEST_FIRST, LATEST_FIRST, resolvers } from './resolvers.ts';

/**
 * The resolvers for MikroORM without the extension. All but three are the same.
 *
 * The three ask for a few items of each parent, and there is no `limit` per parent in MikroORM's `loadItems`.
 * `matching()` is what one writes instead: the right answer, one statement per parent.
 */
export const plainResolvers = {
  ...resolvers,
  Country: {
    ...resolvers.Country,
    cities: (country: Country, args: Page & { minPopulation: number }) =>
      country.cities.matching({ ...page(args), where: atLeast(args.minPopulation), orderBy: LARGEST_FIRST }),
  },
  City: {
    ...resolvers.City,
    visits: (city: City, args: Page) => city.visits.matching({ ...page(args), orderBy: LATEST_FIRST }),
  },
  Traveller: {
    ...resolvers.Traveller,
    visits: (traveller: Traveller, args: Page) => traveller.visits.matching({ ...page(args), orderBy: LATEST_FIRST }),
  },
};
