#!/usr/bin/env node
import { buildRootfs, runCommandLine } from './command-line.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), buildRootfs);
