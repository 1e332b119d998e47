import type { Cloud } from './context.ts';

const DAY_MS = 86_400_000;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly values: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** In the text format of Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ (docs/metrics.md) */
export async function metricsOf({ store, leader, clock, startedMs, version }: Cloud): Promise<string> {
  const { dispatcher, book } = leader;
  const one = (value: number) => [{ labels: {}, value }];
  const hosts = [...dispatcher.hosts.all];
  const outcomes = Object.entries(await store.runs.outcomesSince(clock.nowMs() - DAY_MS));
  const metrics: Metric[] = [
    {
      name: 'rocksy_info',
      help: 'The version that runs',
      type: 'gauge',
      values: [{ labels: { version }, value: 1 }],
    },
    {
      name: 'rocksy_start_time_seconds',
      help: 'When it was started',
      type: 'gauge',
      values: one(startedMs / 1000),
    },
    { name: 'rocksy_jobs', help: 'Jobs', type: 'gauge', values: one(book.size) },
    {
      name: 'rocksy_runs_queued',
      help: 'Runs that could go and wait for a host or a limit',
      type: 'gauge',
      values: one(dispatcher.queuedCount),
    },
    {
      name: 'rocksy_runs_active',
      help: 'Runs that have not ended',
      type: 'gauge',
      values: one(dispatcher.activeCount),
    },
    {
      name: 'rocksy_runs_ended_24h',
      help: 'Runs that ended within 24 hours, by outcome',
      type: 'gauge',
      values: outcomes.map(([outcome, value]) => ({ labels: { outcome }, value: value ?? 0 })),
    },
    {
      name: 'rocksy_host_connected',
      help: 'Whether a host is connected',
      type: 'gauge',
      values: hosts.map(({ name, contact }) => ({
        labels: { host: name },
        value: contact === 'connected' ? 1 : 0,
      })),
    },
    {
      name: 'rocksy_host_load',
      help: 'What a host has been given, in the unit of costs',
      type: 'gauge',
      values: hosts.map(({ name, load }) => ({ labels: { host: name }, value: load })),
    },
    {
      name: 'rocksy_host_capacity',
      help: 'What a host takes',
      type: 'gauge',
      values: hosts.map(({ name, capacity }) => ({ labels: { host: name }, value: capacity })),
    },
    {
      name: 'rocksy_scheduler_lateness_seconds',
      help: 'How late the latest due time was noticed',
      type: 'gauge',
      values: one(leader.ticker.latenessMs / 1000),
    },
    {
      name: 'process_resident_memory_bytes',
      help: 'Memory of this process',
      type: 'gauge',
      values: one(process.memoryUsage().rss),
    },
  ];
  return metrics.map(render).join('');
}

function render({ name, help, type, values }: Metric): string {
  const lines = values.map(({ labels, value }) => {
    const inner = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    return `${name}${inner.length === 0 ? '' : `{${inner.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
