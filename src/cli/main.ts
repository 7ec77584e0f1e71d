#!/usr/bin/env node
import { runCommandLine } from './command-line.ts';
import { endProcess } from './end-process.ts';

await endProcess(await runCommandLine(process.argv.slice(2)));
