import { defineEntity, p } from '@mikro-orm/postgresql';
import { City } from './city.ts';
import { Currency } from './currency.ts';
import { Language } from './language.ts';

const CountrySchema = defineEntity({
  name: 'Country',
  // Read with every query and written hardly ever: kept for a day, unless somebody writes to it.
  resultCache: { ttl: 86_400_000 },
  properties: {
    /** ISO 3166-1 alpha-3: the data set names neighbours by it, so it is the key. */
    code: p.string().length(3).primary(),
    name: p.string(),
    region: p.string(),
    /** Empty in the data for Antarctica and a few islands, `null` here. */
    subregion: p.string().nullable(),
    /** None for Antarctica, three for South Africa. */
    capitals: p.array(),
    area: p.float().columnType('double precision'),
    flag: p.string(),
    /** Inhabitants of the cities Atlas knows, summed when the data is loaded. The data has no other population. */
    urbanPopulation: p.integer(),
    languages: () => p.manyToMany(Language).owner().orderBy({ name: 'asc' }),
    currencies: () => p.manyToMany(Currency).owner().orderBy({ name: 'asc' }),
    /** The neighbours. Each border is stored in both directions, so one side of the relation is enough to read. */
    borders: () =>
      p
        .manyToMany(Country)
        .owner()
        .pivotTable('country_borders')
        .joinColumn('country_code')
        .inverseJoinColumn('neighbour_code')
        .orderBy({ name: 'asc' }),
    cities: () => p.oneToMany(City).mappedBy('country'),
  },
});

/** One of 250 countries and territories. */
export class Country extends CountrySchema.class {}
CountrySchema.setClass(Country);
