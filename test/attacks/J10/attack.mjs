import { writeSync } from 'node:fs';
const line = 'x'.repeat(65536);
for (;;) writeSync(1, line);
