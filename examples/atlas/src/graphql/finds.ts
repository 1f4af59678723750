import { raw, type FilterObject } from '@mikro-orm/postgresql';
import type { City } from '../entities/index.ts';
import { page, prefixPattern, type Page } from './arguments.ts';

/*
 * What the arguments of a field ask of the database, in MikroORM's words. Every order ends in the key, so that pages neither
 * overlap nor leave gaps among equals.
 */

export const LARGEST_FIRST = { population: 'desc', id: 'asc' } as const;
export const LATEST_FIRST = { day: 'desc', traveller: 'asc', city: 'asc' } as const;
export const BY_NAME = { name: 'asc', id: 'asc' } as const;

export interface CitiesArgs extends Page {
  minPopulation: number;
}

/** The largest cities of a country. */
export function largestCities({ minPopulation, ...args }: CitiesArgs) {
  return { ...page(args), where: populationWhere(minPopulation), orderBy: LARGEST_FIRST };
}

export interface CityPagesArgs {
  first: number;
  after?: string | null;
  startsWith?: string | null;
  minPopulation: number;
}

/** The cities of a country from A to Z. Which page of them is not said here. */
export function citiesByName({ startsWith, minPopulation }: CityPagesArgs) {
  return { where: { ...populationWhere(minPopulation), ...nameWhere(startsWith) }, orderBy: BY_NAME };
}

export function latestVisits(args: Page) {
  return { ...page(args), orderBy: LATEST_FIRST };
}

/** A condition for 0 as well, which every city meets: what differs in numbers only is one statement for all. */
function populationWhere(minPopulation: number): FilterObject<City> {
  return { population: { $gte: minPopulation } };
}

export function nameWhere(startsWith: string | null | undefined): FilterObject<City> {
  return startsWith == null ? {} : { [raw(alias => `lower(${alias}.name)`)]: { $like: prefixPattern(startsWith) } };
}
