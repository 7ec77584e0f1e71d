import { BPF, INSTRUCTION_BYTES, RETURN } from './bpf.ts';

/**
 * The filter as a cell loads it that has a listener: where it would kill, it asks the listener, which ends the run without letting
 * the call happen, and knows which one it was. So a death by SIGSYS in such a cell is the program's own doing, since a wait
 * status cannot tell a filter's SIGSYS from one that a program sends itself. If the listener is gone, the kernel answers ENOSYS.
 */
export function heardFilter(program: Uint8Array): Uint8Array {
  const heard = Uint8Array.from(program);
  const view = new DataView(heard.buffer);
  for (let offset = 0; offset + INSTRUCTION_BYTES <= heard.length; offset += INSTRUCTION_BYTES) {
    const isKill =
      view.getUint16(offset, true) === BPF.RETURN && view.getUint32(offset + 4, true) === RETURN.killProcess;
    if (isKill) view.setUint32(offset + 4, RETURN.notify, true);
  }
  return heard;
}
