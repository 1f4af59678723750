import type { PlanReport } from '../timing-report.ts';
import { isPlanJson, type PlanJson } from './plan-json.ts';
import type { PlacedRemark } from './plan-rules.ts';
import { planTree } from './plan-tree.ts';

/** A plan as it is kept: its JSON and what was said of it; the tree is made when somebody looks. */
export interface KeptPlan extends Pick<
  PlanReport,
  'id' | 'text' | 'source' | 'at' | 'planning' | 'execution' | 'queryId'
> {
  /** Masked, at most 64 kB. */
  readonly raw: string;
  readonly remarks: readonly Pick<PlacedRemark, 'index' | 'text'>[];
  readonly findings: readonly string[];
}

/** The newest plan of each shape, of at most so many shapes. */
export class PlanStore {
  readonly #most: number;
  readonly #plans: Map<string, KeptPlan> = new Map();

  constructor(most = 50) {
    this.#most = most;
  }

  /** @param cost of a shape by its id: the least costly gives way */
  put(plan: KeptPlan, cost: (id: string) => number): void {
    this.#plans.set(plan.id, plan);
    if (this.#plans.size > this.#most) {
      const others = [...this.#plans.keys()].filter(id => id !== plan.id);
      this.#plans.delete(others.reduce((one, other) => (cost(other) < cost(one) ? other : one)));
    }
  }

  get(id: string): KeptPlan | undefined {
    return this.#plans.get(id);
  }

  /** Of the shape of this id, from now on. */
  addFindings(id: string, findings: readonly string[]): void {
    const plan = this.#plans.get(id);
    if (plan) {
      this.#plans.set(id, { ...plan, findings: [...new Set([...plan.findings, ...findings])].slice(0, 20) });
    }
  }

  /** Bytes, about. */
  get size(): number {
    return [...this.#plans.values()].reduce((sum, { raw, text }) => sum + raw.length + text.length + 1_000, 0);
  }

  reports(): readonly PlanReport[] {
    return [...this.#plans.values()].map(report);
  }

  clear(): void {
    this.#plans.clear();
  }
}

function report({ remarks, ...plan }: KeptPlan): PlanReport {
  const json = JSON.parse(plan.raw) as readonly [PlanJson];
  const root = json[0]['Plan'];
  return {
    ...plan,
    root: planTree(isPlanJson(root) ? root : {}, index =>
      remarks.filter(each => each.index === index).map(each => each.text),
    ),
  };
}
