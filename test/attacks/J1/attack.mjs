const { spawn } = process.binding('spawn_sync');
const stdio = [{ type: 'ignore' }, { type: 'ignore' }, { type: 'ignore' }];
await attempt('spawn_sync', () => spawn({ file: '/usr/bin/node', args: ['node', '-v'], envPairs: [], stdio }).error);
