import { defineEntity, p } from '@mikro-orm/postgresql';
import { Country } from './country.ts';
import { Visit } from './visit.ts';

const CitySchema = defineEntity({
  name: 'City',
  properties: {
    /** The id of the place in the GeoNames gazetteer. */
    id: p.integer().primary().autoincrement(false),
    name: p.string(),
    population: p.integer(),
    latitude: p.float().columnType('double precision'),
    longitude: p.float().columnType('double precision'),
    country: () => p.manyToOne(Country).ref(),
    visits: () => p.oneToMany(Visit).mappedBy('city'),
  },
  indexes: [
    {
      name: 'city_largest_index',
      // Column order and direction are those of "the largest cities of these countries": each country is one short walk
      // along the index. The id makes the order total, so that equal populations page the same way every time.
      expression: (columns, table, name) =>
        `create index "${name}" on ${table} ("${columns.country}", "${columns.population}" desc, "${columns.id}")`,
    },
    {
      name: 'city_name_prefix_index',
      // `like 'ber%'` can use an index only in byte order, which is what text_pattern_ops says.
      expression: (columns, table, name) =>
        `create index "${name}" on ${table} (lower("${columns.name}") text_pattern_ops)`,
    },
  ],
});

/** One of 135 233 places with at least 1 000 inhabitants, or thought important enough without. */
export class City extends CitySchema.class {}
CitySchema.setClass(City);
