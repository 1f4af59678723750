export { hints, type Hints, type HintsOptions } from './hints.ts';
