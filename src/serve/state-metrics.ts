import { Gauge, type Registry } from 'prom-client';
import type { RunImage, ServiceState } from './service-watch.ts';
import type { SoftwareVersions } from './software-versions.ts';

/** What is looked at when somebody asks: the state of the service at that moment. */
export function addStateMetrics(registry: Registry, state: () => ServiceState): void {
  addLoadMetrics(registry, state);
  addImageMetrics(registry, state);
}

export function addBuildInfo(registry: Registry, { version, node }: SoftwareVersions): void {
  const build = new Gauge({
    name: 'rootcellar_build_info',
    help: 'Always 1; the versions are in its labels.',
    labelNames: ['version', 'node'],
    registers: [registry],
  });
  build.set({ version, node }, 1);
}

function addLoadMetrics(registry: Registry, state: () => ServiceState): void {
  const add = (name: string, help: string, value: (state: ServiceState) => number): void => {
    const collect = function collect(this: Gauge): void {
      this.set(value(state()));
    };
    registry.registerMetric(new Gauge({ name: `rootcellar_${name}`, help, collect, registers: [] }));
  };
  add('runs_in_flight', 'Runs whose program was started and whose report is not there yet.', ({ running }) => running);
  add('run_capacity', 'How many may run at one time.', ({ capacity }) => capacity);
  add('queue_length', 'Requests that wait for their run.', ({ queueLength }) => queueLength);
  add('queue_capacity', 'How many may wait.', ({ queueCapacity }) => queueCapacity);
  add('ready', '1 while requests are accepted.', ({ phase }) => (phase === 'ready' ? 1 : 0));
  add('problem', '1 while the newest image is not what is served; the log and the status page say why.', (now) =>
    now.problem === undefined ? 0 : 1,
  );
}

/** Images come and go; each answer has those of its moment, so that labels do not add up. */
function addImageMetrics(registry: Registry, state: () => ServiceState): void {
  const add = (
    { name, help, labels }: { readonly name: string; readonly help: string; readonly labels: readonly string[] },
    rows: (state: ServiceState) => readonly ImageRow[],
  ): void => {
    const collect = function collect(this: Gauge): void {
      this.reset();
      for (const row of rows(state())) this.set(row.labels, row.value);
    };
    const labelNames = ['image', 'generation', ...labels];
    registry.registerMetric(new Gauge({ name: `rootcellar_${name}`, help, labelNames, collect, registers: [] }));
  };
  add({ name: 'image_info', help: 'Always 1, for each image that new runs get.', labels: ['digest'] }, ({ images }) =>
    images.map((image) => ({ labels: { ...imageLabels(image), digest: image.digest }, value: 1 })),
  );
  add({ name: 'pool_cells', help: 'How many warm cells of an image are kept.', labels: [] }, ({ pools }) =>
    pools.map(({ image, size }) => ({ labels: imageLabels(image), value: size })),
  );
  add({ name: 'pool_free_cells', help: 'How many of them wait for a run.', labels: [] }, ({ pools }) =>
    pools.map(({ image, free }) => ({ labels: imageLabels(image), value: free })),
  );
}

interface ImageRow {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function imageLabels({ name, generation }: RunImage): Readonly<Record<'image' | 'generation', string | number>> {
  return { image: name, generation };
}
