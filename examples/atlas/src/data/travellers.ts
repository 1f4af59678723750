import type { CityData } from './cities.ts';

export const TRAVELLERS = 200;
const MAX_VISITS = 30;
/** Travellers like cities one has heard of. */
const DESTINATIONS = 2_000;

const FIRST_NAMES = [
  'Ada',
  'Bram',
  'Chen',
  'Dalia',
  'Emeka',
  'Freya',
  'Goran',
  'Hana',
  'Ines',
  'Jonas',
  'Kofi',
  'Leila',
  'Mateo',
  'Noor',
  'Olga',
  'Priya',
  'Quentin',
  'Rosa',
  'Sefa',
  'Tomoko',
];
const LAST_NAMES = ['Almeida', 'Berg', 'Costa', 'Diallo', 'Eriksen', 'Fischer', 'Gupta', 'Haddad', 'Ivanova', 'Jansen'];

export interface TravellerData {
  id: number;
  name: string;
  home: number;
}

export interface VisitData {
  traveller: number;
  city: number;
  day: string;
}

/** Two hundred travellers and their visits: invented, but the same on every machine. */
export function inventTravellers(cities: readonly CityData[]): { travellers: TravellerData[]; visits: VisitData[] } {
  const random = seededRandom(20_261_120);
  const below = (n: number): number => Math.floor(random() * n);
  const known = [...cities].sort((a, b) => b.population - a.population || a.id - b.id).slice(0, DESTINATIONS);
  const travellers: TravellerData[] = [];
  const visits: VisitData[] = [];
  for (let i = 0; i < TRAVELLERS; i++) {
    const name = `${FIRST_NAMES[i % FIRST_NAMES.length]} ${LAST_NAMES[Math.floor(i / FIRST_NAMES.length)]}`;
    travellers.push({ id: i + 1, name, home: known[below(known.length)]!.id });
    const seen = new Set(Array.from({ length: 1 + below(MAX_VISITS) }, () => known[below(known.length)]!.id));
    for (const city of seen) {
      visits.push({ traveller: i + 1, city, day: dayAfter('2020-01-01', below(2_500)) });
    }
  }
  return { travellers, visits };
}

function dayAfter(start: string, days: number): string {
  return new Date(Date.parse(start) + days * 86_400_000).toISOString().slice(0, 10);
}

/** Mulberry32: a few lines, and the same sequence for the same seed everywhere. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
