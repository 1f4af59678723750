/**
 * Where all that is random in tests begins: the same cases in every run, so that one that fails says something of the change.
 * `MIKROKIT_SEED=n` draws others, and repeats them; `npm run test:long` draws new ones each time.
 */
export const SEED: number = Number(process.env['MIKROKIT_SEED'] ?? 77);
