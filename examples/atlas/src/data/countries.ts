import { createRequire } from 'node:module';
import type { Country } from 'world-countries';

// Required and not imported: the package is CommonJS to Node, but its types describe a module.
const countries = createRequire(import.meta.url)('world-countries') as readonly Country[];

/** Where the longest of the names that countries use for a language is not the usual one. */
const COMMON_NAMES: Record<string, string> = { ron: 'Romanian' };

export interface CountryData {
  code: string;
  /** The code the cities use. */
  code2: string;
  name: string;
  region: string;
  subregion: string | null;
  capitals: string[];
  area: number;
  flag: string;
  languages: string[];
  currencies: string[];
  borders: string[];
}

/** Every country of `world-countries`, in the order of their names. */
export function readCountries(): CountryData[] {
  const borders = readBorders();
  return countries
    .map(c => ({
      code: c.cca3,
      code2: c.cca2,
      name: c.name.common,
      region: c.region,
      subregion: c.subregion || null,
      capitals: [...c.capital],
      area: c.area,
      flag: c.flag,
      languages: Object.keys(c.languages),
      currencies: Object.keys(c.currencies),
      borders: [...(borders.get(c.cca3) ?? [])].sort(),
    }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en'));
}

/** The languages of all countries. */
export function readLanguages(): { code: string; name: string }[] {
  const found = new Map<string, { code: string; name: string }>();
  for (const [code, name] of countries.flatMap(c => Object.entries(c.languages))) {
    keepLongestName(found, { code, name: COMMON_NAMES[code] ?? name });
  }
  return [...found.values()];
}

/** The currencies of all countries. */
export function readCurrencies(): { code: string; name: string; symbol: string }[] {
  const found = new Map<string, { code: string; name: string; symbol: string }>();
  for (const [code, { name, symbol }] of countries.flatMap(c => Object.entries(c.currencies))) {
    keepLongestName(found, { code, name, symbol });
  }
  return [...found.values()];
}

/** "Danish krone" in Denmark, "krone" in Greenland, one currency: the longest name says whose it is. */
function keepLongestName<T extends { code: string; name: string }>(found: Map<string, T>, item: T): void {
  const known = found.get(item.code);
  if (known === undefined || item.name.length > known.name.length) {
    found.set(item.code, item);
  }
}

/** A border has two sides. The data gives one of them only once: Sri Lanka lists India, India does not list Sri Lanka. */
function readBorders(): Map<string, Set<string>> {
  const borders = new Map(countries.map(c => [c.cca3, new Set<string>()]));
  for (const country of countries) {
    for (const neighbour of country.borders) {
      borders.get(country.cca3)?.add(neighbour);
      borders.get(neighbour)?.add(country.cca3);
    }
  }
  return borders;
}
