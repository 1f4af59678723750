import { UniqueConstraintViolationException } from '@mikro-orm/postgresql';
import { GraphQLError } from 'graphql';
import { City, Traveller, Visit } from '../entities/index.ts';
import { badInput, day } from './arguments.ts';
import type { Context } from './context.ts';

interface AddVisit {
  traveller: number;
  city: number;
  day?: string | null;
}

/** Writes a visit. Reads go to a replica, which is a moment behind, and find it all the same: the resolver sees to it. */
export async function addVisit(_: unknown, args: AddVisit, { em }: Context): Promise<Visit> {
  const traveller = await em.findOne(Traveller, args.traveller);
  const city = await em.findOne(City, args.city);
  if (traveller === null) {
    throw badInput(`There is no traveller ${args.traveller}.`);
  }
  if (city === null) {
    throw badInput(`There is no city ${args.city}. The query "cities" finds ids by name.`);
  }
  const visit = em.create(Visit, { traveller, city, day: day(args.day ?? new Date().toISOString().slice(0, 10)) });
  try {
    await em.flush();
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) {
      throw new GraphQLError(`${traveller.name} has been to ${city.name} already.`, {
        extensions: { code: 'CONFLICT' },
      });
    }
    throw error;
  }
  return visit;
}
