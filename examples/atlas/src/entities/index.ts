import { City } from './city.ts';
import { Country } from './country.ts';
import { Currency } from './currency.ts';
import { Language } from './language.ts';
import { Traveller } from './traveller.ts';
import { Visit } from './visit.ts';

export { City, Country, Currency, Language, Traveller, Visit };

export const entities = [Country, Language, Currency, City, Traveller, Visit];
