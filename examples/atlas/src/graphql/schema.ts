import { createSchema } from 'graphql-yoga';
import type { Context } from './context.ts';
import { plainResolvers } from './plain-resolvers.ts';
import { resolvers } from './resolvers.ts';
import { typeDefs } from './type-defs.ts';

/** What the server answers with. */
export const schema = createSchema<Context>({ typeDefs, resolvers });

/** The same for an ORM without the extension; for the tour only. */
export const plainSchema = createSchema<Context>({ typeDefs, resolvers: plainResolvers });
