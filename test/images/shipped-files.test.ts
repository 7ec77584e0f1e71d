import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { CELL_CALLS, containerSeccompText } from '../../scripts/generate-container-seccomp.mjs';
import { syscallNames } from '../../src/run/syscall-tables.ts';
import { DOCKER_CAPABILITIES } from '../support/container-config.ts';
import { dockerSeccomp, type ContainerSeccomp } from '../support/docker-seccomp.ts';
import { composeService, IMAGES, podContainer, shippedSeccomp } from '../support/lifted-container.ts';

const README = readFileSync(join(IMAGES, '../README.md'), 'utf8');
const PARSER = '/sbin/apparmor_parser';

describe('images/seccomp.json', () => {
  it('is what scripts/generate-container-seccomp.mjs writes', () => {
    expect(readFileSync(join(IMAGES, 'seccomp.json'), 'utf8')).toBe(containerSeccompText(syscallNames()));
  });

  it('allows what Docker allows and what cells are made of, and nothing else', () => {
    const known = new Set(syscallNames());
    const docker = unconditional(dockerSeccomp(DOCKER_CAPABILITIES)).filter((name) => known.has(name));
    const own = process.arch === 'x64' ? [] : ['arch_prctl', 'modify_ldt'];
    const expected = new Set([...docker, ...CELL_CALLS.split(' '), ...own]);
    expect(unconditional(shippedSeccomp())).toEqual([...expected].toSorted());
  });

  it('makes the same conditions for sockets and personalities as Docker', () => {
    for (const name of ['socket', 'personality']) {
      expect(conditions(shippedSeccomp(), name)).toEqual(conditions(dockerSeccomp([]), name));
    }
  });

  it('has every system call that native/ makes by number', () => {
    const source = readFileSync(join(IMAGES, '../native/system.c'), 'utf8');
    const made = [...source.matchAll(/\bSYS_([a-z0-9_]+)/g)].map(([, name]) => name);
    expect(made.length).toBeGreaterThan(10);
    expect(unconditional(shippedSeccomp())).toEqual(expect.arrayContaining(made));
  });
});

function conditions({ syscalls }: ContainerSeccomp, name: string): unknown {
  return syscalls.filter(({ names }) => names.includes(name)).map(({ args }) => args);
}

/** Names that are allowed whatever their arguments are. */
function unconditional({ syscalls }: ContainerSeccomp): readonly string[] {
  const rows = syscalls.filter(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined);
  return [...new Set(rows.flatMap(({ names }) => names))].toSorted();
}

describe('images/rootcellar.apparmor', () => {
  it.skipIf(spawnSync(PARSER, ['--version']).error !== undefined && process.env['SANDBOX_MUST_WORK'] !== '1')(
    'is a profile that AppArmor’s parser compiles',
    () => {
      const file = join(IMAGES, 'rootcellar.apparmor');
      const binary = execFileSync(PARSER, ['--skip-kernel-load', '--skip-cache', '--stdout', file], { stdio: 'pipe' });
      expect(binary.length).toBeGreaterThan(1000);
      expect(binary.includes('rootcellar')).toBe(true);
    },
  );
});

describe('the settings for containers', () => {
  it('are the same for Docker, for Compose and for a pod', () => {
    const { cap_add: compose, security_opt: options, tmpfs } = composeService();
    const pod = podContainer();
    expect(pod.securityContext.capabilities.add).toEqual(compose);
    expect(pod.securityContext.appArmorProfile.localhostProfile).toBe('rootcellar');
    expect(pod.hostUsers).toBe(false);
    const [command = ''] = /docker run [^`]*?IMAGE/.exec(README) ?? [];
    const words = command.replaceAll('\\\n', ' ').split(/\s+/);
    const values = (flag: string): readonly string[] => words.filter((_, index) => words[index - 1] === flag);
    expect(values('--cap-drop')).toEqual(['ALL']);
    expect(values('--cap-add')).toEqual(compose);
    expect(values('--security-opt')).toEqual(options.map((option) => option.replace('./', 'images/')));
    expect(values('--tmpfs')).toEqual(tmpfs);
  });
});

const DIFY_SERVICE = z.strictObject({
  image: z.literal('rootcellar'),
  restart: z.literal('always'),
  environment: z.record(z.string(), z.string()),
  volumes: z.array(z.string()),
  healthcheck: z.strictObject({ test: z.array(z.string()) }),
  networks: z.tuple([z.literal('ssrf_proxy_network')]),
});

describe('images/dify-compose.yaml', () => {
  const file = z.object({ services: z.strictObject({ sandbox: DIFY_SERVICE }) });
  const { sandbox } = file.parse(parse(readFileSync(join(IMAGES, 'dify-compose.yaml'), 'utf8'))).services;

  it('has the service that Dify’s own file has: name, variables, folders, health check, network', () => {
    expect(Object.keys(sandbox.environment)).toEqual(DIFY_VARIABLES);
    expect(sandbox.volumes).toEqual(expect.arrayContaining(DIFY_FOLDERS));
    expect(sandbox.healthcheck.test).toEqual(['CMD', 'curl', '-f', 'http://localhost:8194/health']);
  });

  it('has no key that everybody knows', () => {
    expect(sandbox.environment['API_KEY']).toMatch(/^\$\{SANDBOX_API_KEY:\?/);
  });
});

/** Source: docker/docker-compose.yaml of langgenius/dify, `sandbox`. */
const DIFY_VARIABLES = [
  'API_KEY',
  'GIN_MODE',
  'WORKER_TIMEOUT',
  'ENABLE_NETWORK',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'SANDBOX_PORT',
  'PIP_MIRROR_URL',
];
const DIFY_FOLDERS = ['./volumes/sandbox/dependencies:/dependencies', './volumes/sandbox/conf:/conf'];

describe('images/deployment.yaml', () => {
  const [deployment, service] = parseAllDocuments(readFileSync(join(IMAGES, 'deployment.yaml'), 'utf8')).map(
    (document): unknown => document.toJS(),
  );

  it('is of the restricted Pod Security Standard', () => {
    const { spec } = DEPLOYMENT.parse(deployment).spec.template;
    const [container] = spec.containers;
    expect(spec.volumes.filter((volume) => 'hostPath' in volume)).toEqual([]);
    expect(container.args.slice(-2)).toEqual(['--minimum-tier', 'D']);
    const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
    expect(mounts).toEqual(['/conf', '/dependencies', '/var/lib/rootcellar', '/tmp']);
  });

  it('has a service for its port', () => {
    expect(service).toMatchObject({
      kind: 'Service',
      spec: { selector: { app: 'rootcellar' }, ports: [{ port: 8194 }] },
    });
  });
});

/** Source: kubernetes.io, Pod Security Standards, "Restricted". */
const DEPLOYMENT = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        securityContext: z.object({
          runAsNonRoot: z.literal(true),
          runAsUser: z.number().min(1),
          seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
        }),
        volumes: z.array(z.record(z.string(), z.unknown())),
        containers: z.tuple([
          z.object({
            args: z.array(z.string()),
            securityContext: z.object({
              allowPrivilegeEscalation: z.literal(false),
              readOnlyRootFilesystem: z.literal(true),
              capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
            }),
            volumeMounts: z.array(z.object({ mountPath: z.string() })),
          }),
        ]),
      }),
    }),
  }),
});
