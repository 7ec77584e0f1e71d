await attempt('shared', () => void new SharedArrayBuffer(1e12));
await attempt('array', () => void new ArrayBuffer(1e15));
await attempt('buffer', () => void Buffer.alloc(1e14));
await attempt('wasm', () => void new WebAssembly.Memory({ initial: 65537 }));
await attempt('string', () => void 'x'.repeat(2 ** 30));
