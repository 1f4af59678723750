import { afterAll, onTestFinished } from 'vitest';

type Close = () => Promise<void>;

const ofThisFile: Close[] = [];

// Registered while the test file that imports us is being collected, so it holds for resources opened at its top level
// and in its beforeAll as well. First registered is last run: the file's own afterAll hooks still find everything open.
afterAll(async () => {
  while (ofThisFile.length > 0) {
    await ofThisFile.pop()?.();
  }
});

/**
 * Closes a resource when the running test has finished, or, opened outside a test, after the last test of the file.
 * Tests that run concurrently cannot be told apart here: let them open what they need in `beforeAll`.
 */
export function closeAfter(close: Close): void {
  try {
    onTestFinished(close);
  } catch {
    ofThisFile.push(close);
  }
}
