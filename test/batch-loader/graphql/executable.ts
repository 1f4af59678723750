import type * as Graphql16 from 'graphql';
import * as graphql16 from 'graphql';
import * as graphql17 from 'graphql-17';
import { readProperty, typeOf } from './library-schema.ts';

/** Both majors; their types differ where nothing of ours looks. */
export const MAJORS = [
  ['16', graphql16],
  ['17', graphql17 as unknown as typeof graphql16],
] as const;

/** By type and field. */
export type Resolvers = Record<string, Record<string, unknown>>;

/** The data of an operation, as JSON: lists by the names of the root fields. */
export interface Answer {
  readonly [root: string]: readonly Readonly<Record<string, unknown>>[];
}

/** A schema with resolvers. Fields without one read the property of their name, and load nothing. */
export function executable(
  graphql: typeof Graphql16,
  sdl: string,
  resolvers: Resolvers,
): (text: string, contextValue: object, variableValues?: Record<string, unknown>) => Promise<Answer> {
  const schema = graphql.buildSchema(sdl);
  for (const [type, fields] of Object.entries(resolvers)) {
    const definitions = (schema.getType(type) as Graphql16.GraphQLObjectType).getFields();
    for (const [field, resolve] of Object.entries(fields)) {
      definitions[field]!.resolve = resolve as Graphql16.GraphQLFieldResolver<unknown, unknown>;
    }
  }
  return async (text, contextValue, variableValues = {}) => {
    const document = graphql.parse(text);
    const invalid = graphql.validate(schema, document);
    if (invalid.length > 0) {
      throw invalid[0]!;
    }
    const { data, errors } = await graphql.execute({
      schema,
      document,
      contextValue,
      variableValues,
      typeResolver: typeOf,
      fieldResolver: readProperty,
    });
    if (errors) {
      throw errors[0]!.originalError ?? errors[0]!;
    }
    return JSON.parse(JSON.stringify(data)) as Answer;
  };
}
