import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
