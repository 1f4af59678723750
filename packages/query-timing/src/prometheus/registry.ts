import type { Metric, Sample } from './metric.ts';

/** What is used of a `Registry` of prom-client. */
export interface MetricRegistry {
  registerMetric(metric: never): void;
  removeSingleMetric(name: string): void;
}

/**
 * Adds metrics to somebody's registry, all or none.
 * @param reset called when the registry is told to reset its metrics
 * @returns takes them out again
 * @throws what the registry throws, e.g. that there is one of the same name already
 */
export function register(registry: MetricRegistry, metrics: readonly Metric[], reset: () => void): () => void {
  const names: string[] = [];
  const remove = (): void => names.forEach(name => registry.removeSingleMetric(name));
  try {
    for (const metric of metrics) {
      registry.registerMetric(new RegisteredMetric(metric, reset) as never);
      names.push(metric.name);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return remove;
}

/** A metric as the registry asks for it: only when it is scraped. */
class RegisteredMetric {
  /** Not readonly: the registry takes the suffix of a counter away for OpenMetrics, and adds it again. */
  name: string;
  readonly help: string;
  readonly type: Metric['type'];
  readonly aggregator = 'sum';
  readonly reset: () => void;
  readonly #metric: Metric;

  constructor(metric: Metric, reset: () => void) {
    this.name = metric.name;
    this.help = metric.help;
    this.type = metric.type;
    this.reset = reset;
    this.#metric = metric;
  }

  get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    const values = this.#metric.samples().map(sample => valueOf(type, sample));
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}

/** Only samples of histograms have names of their own. */
function valueOf(type: Metric['type'], { metricName, labels, value }: Sample): object {
  return type === 'histogram' ? { metricName, labels, value } : { labels, value };
}
