// `npm run bench`: figures against their bars. Never part of `npm test`: on a busy machine a figure says nothing.
import { globSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { startCluster, type Cluster } from '../harness/postgres.ts';
import { ArgumentError, choose, parseArguments, type Chosen } from './arguments.ts';
import type { Bench } from './bench.ts';
import { figureText, headingLine, table, type Heading, type Row } from './table.ts';

try {
  await main();
} catch (error) {
  console.error(error instanceof ArgumentError ? error.message : error);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2));
  const chosen = choose(await loadBenches(), args);

  const cluster = await startCluster();
  try {
    const heading = await headingOf(cluster);
    const rows = await runAll(chosen, cluster);

    console.log(`\n${headingLine(heading)}\n\n${table(rows)}`);
    if (args.json !== undefined) {
      writeFileSync(args.json, `${JSON.stringify({ ...heading, rows }, null, 2)}\n`);
    }
    // A missed bar is an answer; only who asked with --check wants it as a failure. A case that broke always is one.
    process.exitCode = rows.some(row => row.verdict === 'failed' || (args.check && row.verdict === 'missed')) ? 1 : 0;
  } finally {
    await cluster.stop();
  }
}

async function runAll(chosen: readonly Chosen[], cluster: Cluster): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [index, each] of chosen.entries()) {
    progress(`${index + 1}/${chosen.length} ${each.package}: ${each.case.name} …`);
    const row = await runCase(each, cluster);
    progress(`    ${row.error ?? figureText(row)}, ${row.verdict}`);
    rows.push(row);
  }
  return rows;
}

async function runCase({ package: name, case: question }: Chosen, cluster: Cluster): Promise<Row> {
  const asked = { package: name, case: question.name, bar: question.bar.text };
  try {
    const { value, unit } = await question.run({ cluster, progress: text => progress(`    ${text}`) });
    return { ...asked, figure: value, unit, verdict: question.bar.isMet(value) ? 'met' : 'missed' };
  } catch (error) {
    progress(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return { ...asked, verdict: 'failed', error: String(error) };
  }
}

async function loadBenches(): Promise<Bench[]> {
  const files = globSync('*.bench.ts', { cwd: import.meta.dirname }).sort();
  return await Promise.all(
    files.map(async file => {
      const { bench } = (await import(join(import.meta.dirname, file))) as { bench?: Bench };
      if (!bench) {
        throw new Error(
          `test/bench/${file} exports its cases as \`bench\` (see test/bench/bench.ts), but exports none.`,
        );
      }
      return bench;
    }),
  );
}

async function headingOf(cluster: Cluster): Promise<Heading> {
  const [version] = await cluster.primary.query<{ server_version: string }>('show server_version');
  const [first] = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    postgresql: version?.server_version ?? 'unknown',
    cpu: `${first?.model.trim() ?? 'unknown CPU'} × ${cpus().length}`,
  };
}

// To stderr: what is on stdout can be piped and pasted.
function progress(text: string): void {
  console.error(text);
}
