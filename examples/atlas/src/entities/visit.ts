import { defineEntity, p, PrimaryKeyProp } from '@mikro-orm/postgresql';
import { City } from './city.ts';
import { Traveller } from './traveller.ts';

const VisitSchema = defineEntity({
  name: 'Visit',
  properties: {
    traveller: () => p.manyToOne(Traveller).ref().primary(),
    city: () => p.manyToOne(City).ref().primary().index(),
    /** The day, as `2026-11-20`. */
    day: p.date(),
  },
});

/** A traveller was in a city; the two together are the key, so once per city. */
export class Visit extends VisitSchema.class {
  override [PrimaryKeyProp]?: ['traveller', 'city'];
}
VisitSchema.setClass(Visit);
