import { defineEntity, p } from '@mikro-orm/postgresql';
import { City } from './city.ts';
import { Visit } from './visit.ts';

const TravellerSchema = defineEntity({
  name: 'Traveller',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    home: () => p.manyToOne(City).ref(),
    visits: () => p.oneToMany(Visit).mappedBy('traveller'),
  },
});

/** Someone who visits cities. Invented, unlike the cities. */
export class Traveller extends TravellerSchema.class {}
TravellerSchema.setClass(Traveller);
