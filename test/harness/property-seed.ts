// Before each file: properties (fast-check) draw the same cases in every run.
import fc from 'fast-check';
import { SEED } from './seed.ts';

fc.configureGlobal({ seed: SEED });
