import type { Command } from 'commander';
import type { CommonFlags } from './command-context.ts';
import { addVerb, collect, type Run } from './verb-definition.ts';

export interface PushFlags {
  readonly plainHttp?: boolean;
  readonly compression?: string;
}

/** Of what takes images that others made. */
export interface TakeFlags {
  readonly name?: string;
  readonly arch?: readonly string[];
  readonly trustPolicy?: boolean;
}

export interface PullFlags extends TakeFlags {
  readonly plainHttp?: boolean;
}

export interface LoadFlags extends TakeFlags {
  readonly image?: string;
}

/** Images between stores. */
export function addRegistryVerbs(program: Command, run: Run): void {
  addVerb(program, 'push <image> <reference>', {
    summary: 'send an image to a registry, with the login of docker or podman',
    example: 'push python registry.example/team/python:3',
  })
    .option('--compression <name>', 'of layers: gzip or none (default: gzip)')
    .option('--plain-http', 'speak HTTP without TLS with a registry that is not on this machine')
    .action(async (image: string, reference: string, flags: CommonFlags & PushFlags) => {
      const { pushVerb } = await import('./push-verb.ts');
      await run(flags, (context) => pushVerb(context, { image, reference, flags }));
    });
  withTakeFlags(
    addVerb(program, 'pull <reference>', {
      summary: 'bring an image of a registry into the store',
      example: 'pull registry.example/team/python:3 --name python',
    }),
  )
    .option('--plain-http', 'speak HTTP without TLS with a registry that is not on this machine')
    .action(async (reference: string, flags: CommonFlags & PullFlags) => {
      const { pullVerb } = await import('./pull-verb.ts');
      await run(flags, (context) => pullVerb(context, reference, flags));
    });
  withTakeFlags(
    addVerb(program, 'load <path>', {
      summary: 'bring an image layout, an archive of docker, or the tar of a root file system into the store',
      example: 'load python-oci --name python',
    }),
  )
    .option('--image <name>', 'which of several images in it')
    .action(async (path: string, flags: CommonFlags & LoadFlags) => {
      const { loadVerb } = await import('./load-verb.ts');
      await run(flags, (context) => loadVerb(context, path, flags));
    });
}

function withTakeFlags(command: Command): Command {
  return command
    .option('--name <name>', 'what it is to be called in the store')
    .option('--arch <name>', 'architecture to take (repeatable; default: this machine’s)', collect)
    .option('--trust-policy', 'run its programs by the sandbox settings that it brings, not by the default ones');
}
