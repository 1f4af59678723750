import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Figures } from './faults/figures.ts';
import { PLAIN } from './faults/form.ts';
import { run } from './faults/run.ts';
import { ALWAYS, failuresOf, type Scenario } from './faults/scenario.ts';
import * as scenarios from './faults/scenarios.ts';
import { tableOf } from './faults/table.ts';
import { World } from './faults/world.ts';

/*
 * Registers that only grow, written and read by 50 clients in two processes through one MikroORM each, while servers are
 * killed, frozen, cut off, restarted and promoted. Whoever reads with a token has to find what it stands for.
 *
 * `npm run test:long` takes the times and numbers of the design, and runs MikroORM alone beside it.
 */
const TIMEOUT = 600_000;

const runs: Figures[] = [];
afterAll(() => console.log(`faults:\n${tableOf(runs)}\n${explained(runs)}`));

/** What a run said that is not in the table. */
function explained(all: readonly Figures[]): string {
  return all
    .flatMap(({ id, subject, errors, examples }) =>
      [...examples, ...errors.slice(0, 5)].map(line => `${id} ${subject}: ${line}`),
    )
    .join('\n');
}

async function passes(scenario: Scenario, world: World): Promise<void> {
  const figures = await run(scenario, 'mikrokit', world);
  runs.push(figures);
  expect(failuresOf(figures, { ...ALWAYS, ...scenario.passes }), figures.states.join('\n')).toEqual([]);
}

/** MikroORM alone is only looked at. */
async function compares(scenario: Scenario, world: World): Promise<void> {
  const figures = await run(scenario, 'plain', world);
  runs.push(figures);
  expect(figures.reads).toBeGreaterThan(0);
}

const { promoted, splitBrain, ...healing } = scenarios;

describe('a fault that heals', () => {
  let world: World;

  beforeAll(async () => {
    world = await World.open();
  });

  for (const scenario of Object.values(healing)) {
    const { id, title } = scenario;
    test(`${id} ${title}`, { timeout: TIMEOUT }, () => passes(scenario, world));
    if (PLAIN) {
      test(`${id} ${title}: MikroORM alone`, { timeout: TIMEOUT }, () => compares(scenario, world));
    }
  }
});

describe('a promotion', () => {
  for (const scenario of [promoted, splitBrain]) {
    const { id, title } = scenario;
    test(`${id} ${title}`, { timeout: TIMEOUT }, async () => passes(scenario, await World.open()));
    if (PLAIN) {
      test(`${id} ${title}: MikroORM alone`, { timeout: TIMEOUT }, async () => compares(scenario, await World.open()));
    }
  }
});
