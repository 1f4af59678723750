import { DataloaderType, type EntityManager, type MikroORM } from '@mikro-orm/postgresql';
import { batchLoader } from '@mikrokit/batch-loader';
import { type Finding, type FindingKind, queryTiming, type QueryTiming } from '@mikrokit/query-timing';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../harness/database.ts';
import { onPurpose, paged, populated } from './harmless.ts';
import { mappings } from './mappings.ts';
import { byHand, loops, unusual } from './loops.ts';
import type { Program } from './program.ts';
import { several, writes } from './several.ts';
import { openShop, stockShop } from './shop.ts';

/*
 * timing.md 4.5.7: small programs, each labelled with what is wrong with it, run for real. What a program is found guilty of is
 * compared with its label: precision is how many of the findings are true, recall how many of the true ones are found.
 */

const programs: readonly Program[] = [
  ...loops,
  ...unusual,
  ...mappings,
  ...byHand,
  ...several,
  ...writes,
  ...populated,
  ...paged,
  ...onPurpose,
];

/** Findings that say that something is wrong; a paged loop is only told of. */
const ACCUSING: ReadonlySet<FindingKind> = new Set(['n+1', 'mn+1', 'duplicate', 'write-loop']);

interface Timed {
  readonly orm: MikroORM;
  readonly timing: QueryTiming;
}

let timed: Record<NonNullable<Program['with']> | 'plain', Timed>;

beforeAll(async () => {
  const { url } = await openDatabase();
  const orm = await openShop({ url });
  await orm.schema.create();
  const open = async (options: object, ...extensions: object[]): Promise<Timed> => {
    const timing = queryTiming({ environment: 'test', terminal: false, plans: false });
    return { timing, orm: await openShop({ url, ...options, extensions: [timing, ...extensions] as never }) };
  };
  timed = {
    plain: await open({}),
    batchLoader: await open({}, batchLoader({ peers: true })),
    dataloader: await open({ dataloader: DataloaderType.ALL }),
  };
});

/** What is found while it runs, but for slow queries, plans and the like. */
async function accusations(program: Program): Promise<readonly Finding[]> {
  const { orm, timing } = timed[program.with ?? 'plain'];
  await stockShop(orm.em.fork() as EntityManager);
  let found: readonly Finding[] = [];
  const stop = timing.on('scope', ({ name, findings }) => {
    if (name === program.name) {
      found = findings.filter(({ kind }) => ACCUSING.has(kind));
    }
  });
  await timing.run(program.name, () => program.run(orm.em.fork() as EntityManager));
  stop();
  return found;
}

/** What of the label the finding has not. */
function shortcomings(program: Program, finding: Finding | undefined): readonly string[] {
  const { truth } = program;
  if (truth === undefined || finding === undefined) {
    return [];
  }
  const { fix, parent } = finding;
  return [
    ...(fix?.includes(truth.fix) === true ? [] : [`its fix is ${fix}, and not ${truth.fix}`]),
    ...(truth.proved === undefined || (parent?.proved === true && parent.column === truth.proved)
      ? []
      : [
          `it is ${parent?.proved === true ? 'proved' : 'not proved'} by ${parent?.column}, and not by ${truth.proved}`,
        ]),
    ...(truth.parent === undefined || parent?.entity === truth.parent
      ? []
      : [`its parent is ${parent?.entity}, and not ${truth.parent}`]),
    // A DataLoader's batch has no caller.
    ...(program.with === 'dataloader' || finding.site?.file.includes('/corpus/') === true
      ? []
      : [`its place is ${finding.site?.file}`]),
  ];
}

describe('the corpus', () => {
  test('has at least 30 true and 30 false programs, each with a name of its own', () => {
    expect(programs.filter(({ truth }) => truth !== undefined).length).toBeGreaterThanOrEqual(30);
    expect(programs.filter(({ truth }) => truth === undefined).length).toBeGreaterThanOrEqual(30);
    expect(new Set(programs.map(({ name }) => name)).size).toBe(programs.length);
  });

  test('precision and recall are at least 0.95; what is found is told rightly', async () => {
    let hits = 0;
    let found = 0;
    const misses: string[] = [];
    const alarms: string[] = [];
    const wrong: string[] = [];
    for (const program of programs) {
      const { name, truth } = program;
      const findings = await accusations(program);
      const right = findings.find(({ kind }) => kind === truth?.kind);
      const others = findings.filter(finding => finding !== right);
      found += findings.length;
      if (right !== undefined) {
        hits++;
      } else if (truth !== undefined) {
        misses.push(`missed: ${name} (${truth.kind})`);
      }
      alarms.push(...others.map(({ title }) => `false: ${name}: ${title}`));
      wrong.push(...shortcomings(program, right).map(what => `wrong: ${name}: ${what}`));
    }
    const precision = hits / found;
    const recall = hits / programs.filter(({ truth }) => truth !== undefined).length;
    console.log(
      [
        `N+1 corpus: ${programs.length} programs, precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}`,
        ...misses,
        ...alarms,
        ...wrong,
      ].join('\n'),
    );
    expect(wrong).toEqual([]);
    expect(precision).toBeGreaterThanOrEqual(0.95);
    expect(recall).toBeGreaterThanOrEqual(0.95);
  }, 120_000);
});
