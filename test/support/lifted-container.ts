import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { ContainerSettings } from './container-config.ts';
import type { ContainerSeccomp } from './docker-seccomp.ts';

export const IMAGES: string = join(import.meta.dirname, '../../images');

const SERVICE = z.object({
  cap_drop: z.tuple([z.literal('ALL')]),
  cap_add: z.array(z.string()),
  security_opt: z.array(z.string()),
  tmpfs: z.array(z.string()),
});

const CONTAINER = z.object({
  securityContext: z.object({
    capabilities: z.object({ drop: z.tuple([z.literal('ALL')]), add: z.array(z.string()) }),
    seccompProfile: z.object({ type: z.literal('Localhost'), localhostProfile: z.string() }),
    appArmorProfile: z.object({ type: z.literal('Localhost'), localhostProfile: z.string() }),
  }),
});

/** The service that we ship for Docker Compose. */
export function composeService(): z.output<typeof SERVICE> {
  const file = z.object({ services: z.object({ rootcellar: SERVICE }) });
  return file.parse(parse(readFileSync(join(IMAGES, 'compose.yaml'), 'utf8'))).services.rootcellar;
}

/** The container of the pod that we ship. */
export function podContainer(): z.output<typeof CONTAINER> & { readonly hostUsers: boolean } {
  const file = z.object({ spec: z.object({ hostUsers: z.boolean(), containers: z.tuple([CONTAINER]) }) });
  const { hostUsers, containers } = file.parse(parse(readFileSync(join(IMAGES, 'pod.yaml'), 'utf8'))).spec;
  return { ...containers[0], hostUsers };
}

/** The seccomp profile that we ship. */
export function shippedSeccomp(): ContainerSeccomp {
  const profile: ContainerSeccomp = JSON.parse(readFileSync(join(IMAGES, 'seccomp.json'), 'utf8'));
  return profile;
}

/** The container of `images/compose.yaml`. */
export function liftedContainer(change: Partial<ContainerSettings> = {}): ContainerSettings {
  return {
    uid: 0,
    capabilities: composeService().cap_add.map((name) => `CAP_${name}`),
    noNewPrivileges: false,
    seccomp: shippedSeccomp(),
    cgroups: 'rw',
    ...change,
  };
}
