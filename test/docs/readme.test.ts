import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../harness/database.ts';
import { isOutput } from './output.ts';
import { extractPrograms, removePrograms, runProgram, typeCheckPrograms, type Program } from './programs.ts';

// Documented means executed: each ```ts block of a README is a whole program and runs against a database of its own.
const programs = extractPrograms();
afterAll(removePrograms);

describe('the programs of the documents', () => {
  let complaints: string;

  beforeAll(async () => {
    complaints = await typeCheckPrograms();
  });

  it('are found', () => {
    expect(programs.map(program => program.name)).toContainEqual(expect.stringMatching(/^README\.md:/));
  });

  it('type-check', () => {
    expect(complaints).toBe('');
  });

  it.each(programs.filter(program => program.runs).map(program => [program.name, program] as const))(
    '%s runs and prints what it says',
    async (_name, program) => {
      const database = await openDatabase();
      const { code, stdout, output } = await runProgram(program, database.url);
      expect(code, output).toBe(0);
      expectOutput(program, stdout);
    },
  );
});

function expectOutput({ output }: Program, stdout: string): void {
  if (output !== undefined && !isOutput(output, stdout)) {
    // Not equal as patterns, so never equal as texts: this prints the difference.
    expect(stdout.trimEnd()).toBe(output);
  }
}
