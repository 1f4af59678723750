import { shortened } from './shortened.ts';

/** Characters of a name that are kept. */
const LONGEST_NAME = 200;

/** Whatever it was given, it is shown to people: short, and without what moves a cursor. */
export function boundedName(name: string): string {
  const short = name.length > LONGEST_NAME ? shortened(name, LONGEST_NAME) : name;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return short.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\uFFFD');
}
