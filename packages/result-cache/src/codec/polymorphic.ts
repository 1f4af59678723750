import type { EntityClass, PolymorphicRef } from '@mikro-orm/core';

/**
 * The two things in a driver's rows that are no plain data: a `PolymorphicRef` where a polymorphic relation is not joined,
 * and, where it is joined, the class of its target in a `constructor` that is not enumerable. The seam says what they are,
 * so that the codec imports no value of MikroORM.
 */
export interface Polymorphic {
  /** Whether an object that is no plain data is a reference. */
  isReference(value: object): value is PolymorphicRef;
  makeReference(discriminator: string, id: unknown): PolymorphicRef;
  /** The name by which {@link Polymorphic.classOf} finds the class again, in this process and in others. */
  nameOf(target: EntityClass): string | undefined;
  /** Given whatever an entry says; `undefined` for a name that is no entity's. */
  classOf(name: string): EntityClass | undefined;
}
