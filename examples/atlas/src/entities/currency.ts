import { defineEntity, p } from '@mikro-orm/postgresql';
import { Country } from './country.ts';

const CurrencySchema = defineEntity({
  name: 'Currency',
  resultCache: { ttl: 86_400_000 },
  properties: {
    /** ISO 4217. */
    code: p.string().length(3).primary(),
    name: p.string(),
    symbol: p.string(),
    countries: () => p.manyToMany(Country).mappedBy('currencies').orderBy({ name: 'asc' }),
  },
});

/** A currency that is legal tender somewhere. */
export class Currency extends CurrencySchema.class {}
CurrencySchema.setClass(Currency);
