#!/usr/bin/env node
import { runCommandLine } from './command-line.ts';

// `build-rootfs RECIPE` is `rootcellar build RECIPE` under the name that Dockerfiles call.
process.exitCode = await runCommandLine(['build', ...process.argv.slice(2)], 'build-rootfs');
