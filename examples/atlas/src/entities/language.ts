import { defineEntity, p } from '@mikro-orm/postgresql';
import { Country } from './country.ts';

const LanguageSchema = defineEntity({
  name: 'Language',
  resultCache: { ttl: 86_400_000 },
  properties: {
    /** ISO 639-3. */
    code: p.string().length(3).primary(),
    name: p.string(),
    countries: () => p.manyToMany(Country).mappedBy('languages').orderBy({ name: 'asc' }),
  },
});

/** An official language of some country. */
export class Language extends LanguageSchema.class {}
LanguageSchema.setClass(Language);
