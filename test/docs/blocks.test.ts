import { describe, expect, it } from 'vitest';
import { programsIn } from './blocks.ts';
import { isOutput } from './output.ts';

const fence = '```';

describe('the programs of a document', () => {
  it('are its ts blocks, with the output that follows', () => {
    const text = `# One\n\n${fence}ts\nconsole.log(1);\n${fence}\n\nIt prints:\n\n${fence}text\n1\n${fence}\n`;
    expect(programsIn(text)).toEqual([{ line: 4, code: 'console.log(1);', runs: true, output: '1' }]);
  });

  it('have no output of another section, nor of another block', () => {
    const text = `${fence}ts\na;\n${fence}\n\n## Two\n\n${fence}text\n1\n${fence}\n${fence}ts\nb;\n${fence}\n${fence}sh\nnpm test\n${fence}\n${fence}text\n2\n${fence}`;
    expect(programsIn(text).map(block => [block.code, block.output])).toEqual([
      ['a;', undefined],
      ['b;', undefined],
    ]);
  });

  it('are only type-checked when marked no-run, and have no other flag', () => {
    expect(programsIn(`${fence}ts no-run\na;\n${fence}`)).toMatchObject([{ runs: false }]);
    expect(() => programsIn(`\n${fence}ts norun\na;\n${fence}`)).toThrow(
      'Line 2: the only flag of a ts block is no-run, but got: norun',
    );
  });

  it('are not sh, sql or jsonc, nor what stands inside another block', () => {
    expect(
      programsIn(`${fence}sql\nselect 1;\n${fence}\n${fence}\`md\n${fence}ts\na;\n${fence}\n${fence}\`\n`),
    ).toEqual([]);
  });

  it('are not guessed when a block never ends', () => {
    expect(() => programsIn(`${fence}ts\na;\n`)).toThrow('Line 1: a code block begins here and never ends');
  });
});

describe('the output of a program', () => {
  it.each([
    ['one\ntwo', 'one\ntwo\n'],
    ['took … ms', 'took 12.5 ms'],
    ['a\n…\nz', 'a\nb\nc\nz'],
    ['a\n…\nz', 'a\nz'],
    ['[1] (x|y) $', '[1] (x|y) $'],
  ])('%j allows %j', (expected, actual) => expect(isOutput(expected, actual)).toBe(true));

  it.each([
    ['one\ntwo', 'one'],
    ['one', 'one\ntwo'],
    ['took … ms', 'took\n1 ms'],
    ['a\n…\nz', 'a\nb'],
    ['', 'something'],
    ['1.5', '1x5'],
  ])('%j does not allow %j', (expected, actual) => expect(isOutput(expected, actual)).toBe(false));
});
