/** A fenced TypeScript program of a Markdown file. */
export interface Block {
  /** The line its first line of code has in the file, counted from 1. */
  readonly line: number;
  readonly code: string;
  /** False for a block marked `ts no-run`: it is type-checked only. */
  readonly runs: boolean;
  /** What the program prints, when a `text` block follows it before the next heading or code. */
  readonly output?: string | undefined;
}

interface Fence {
  readonly line: number;
  readonly info: string;
  readonly body: string;
  /** How many headings stand above it, so that an output is not looked for in another section. */
  readonly section: number;
}

/** The programs of a Markdown text, in order. Blocks of other languages are not programs. */
export function programsIn(markdown: string): Block[] {
  const fences = fencesIn(markdown);
  return fences.flatMap((fence, index) => {
    const [language, ...flags] = fence.info.split(/\s+/);
    if (language !== 'ts') {
      return [];
    }
    const unknown = flags.find(flag => flag !== 'no-run');
    if (unknown !== undefined) {
      throw new Error(`Line ${fence.line - 1}: the only flag of a ts block is no-run, but got: ${unknown}`);
    }
    const next = fences[index + 1];
    const output = next?.info === 'text' && next.section === fence.section ? next.body : undefined;
    return [{ line: fence.line, code: fence.body, runs: !flags.includes('no-run'), output }];
  });
}

function fencesIn(markdown: string): Fence[] {
  const lines = markdown.split('\n');
  const fences: Fence[] = [];
  let section = 0;

  for (let index = 0; index < lines.length; index += 1) {
    const open = /^(`{3,})(.*)$/.exec(lines[index] ?? '');
    if (open) {
      const end = lines.indexOf(open[1] ?? '', index + 1);
      if (end < 0) {
        throw new Error(`Line ${index + 1}: a code block begins here and never ends`);
      }
      const body = lines.slice(index + 1, end).join('\n');
      fences.push({ line: index + 2, info: (open[2] ?? '').trim(), body, section });
      index = end;
    } else if (/^#{1,6} /.test(lines[index] ?? '')) {
      section += 1;
    }
  }
  return fences;
}
