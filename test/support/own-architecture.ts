/** This machine's. */
export const own: 'amd64' | 'arm64' = process.arch === 'x64' ? 'amd64' : 'arm64';
