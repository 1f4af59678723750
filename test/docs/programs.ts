import { execFile } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { programsIn, type Block } from './blocks.ts';

const root = dirname(dirname(import.meta.dirname));
// Inside the test package, so that imports resolve as in a test; ignored by git, vitest, lint and the type check of `test`.
// One per process: two runs in one checkout must not delete each other's programs.
const folder = join(root, `test/.cache/docs-${process.pid}`);

/** A program of a document, written out as a file that can run. */
export interface Program extends Block {
  /** `README.md:12` */
  readonly name: string;
  readonly file: string;
}

/** Writes the programs of every document of the repository to files of their own, and gives them in order. */
export function extractPrograms(): Program[] {
  removePrograms();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(compilerOptions));

  const documents = globSync(['*.md', 'packages/*/README.md', 'examples/*/README.md', 'test/**/README.md'], {
    cwd: root,
    exclude: ['**/node_modules/**'],
  });
  return documents.sort().flatMap(document =>
    programsIn(readFileSync(join(root, document), 'utf8')).map(block => {
      const file = join(folder, `${document.replace(/\.md$/, '').replaceAll('/', '-')}-${block.line}.ts`);
      // As many empty lines as stand above the block: compiler and stack traces then name the document's own lines.
      writeFileSync(file, `${'\n'.repeat(block.line - 1)}${block.code}\nexport {};\n`);
      return { ...block, name: `${document}:${block.line}`, file };
    }),
  );
}

/** Removes the files that {@link extractPrograms} wrote. */
export function removePrograms(): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Type-checks all extracted programs at once and gives what the compiler says, empty when it has nothing to say. */
export async function typeCheckPrograms(): Promise<string> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { output } = await node([tsc, '-p', folder, '--pretty', 'false'], {});
  return output;
}

/** Runs a program under this Node, packages from source, with `DATABASE_URL` set. */
export function runProgram({ file }: Program, databaseUrl: string): Promise<Ended> {
  return node(['--conditions=@mikrokit/source', file], { DATABASE_URL: databaseUrl, NO_COLOR: '1' });
}

/** How a program ended; `output` is what it printed to both streams. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly output: string;
}

function node(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise(resolve => {
    const options = { cwd: dirname(folder), env: { ...process.env, ...env }, timeout: 60_000 };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error ? 1 : 0;
      const why = error?.killed ? '\nIt did not end within a minute. Does it close its ORM?' : '';
      resolve({ code, stdout, output: `${stdout}${stderr}${why}`.replaceAll(`${folder}/`, '') });
    });
  });
}

const compilerOptions = {
  extends: '../../tsconfig.json',
  // As strict as a careful user's project, not as ours: there `process.env.DATABASE_URL` is written like this and passed on.
  compilerOptions: {
    noPropertyAccessFromIndexSignature: false,
    exactOptionalPropertyTypes: false,
    // Nothing is emitted, and a program may import the harness by its package's name.
    rewriteRelativeImportExtensions: false,
    allowImportingTsExtensions: true,
  },
  include: ['*.ts'],
  exclude: [],
};
