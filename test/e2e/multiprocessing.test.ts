import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonImage, sharedHome } from '../support/command.ts';
import { imageHost, start, type ImageHost } from '../support/image-host.ts';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';

const LIMITS = ['wall=60s', 'cpu=60s'];

const ALONE = `
import multiprocessing
from multiprocessing import shared_memory
lock = multiprocessing.Lock()
with lock: print(lock)
print(multiprocessing.Semaphore(2), multiprocessing.Event().is_set(), multiprocessing.Value("i", 5).value)
memory = shared_memory.SharedMemory(create=True, size=100, track=False)
memory.buf[:3] = b"abc"
again = shared_memory.SharedMemory(name=memory.name, track=False)
print(bytes(again.buf[:3]))
again.close()
memory.close()
memory.unlink()
`;

const TOGETHER = `
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory

def square(x): return x * x

def put(queue, lock, name):
    memory = shared_memory.SharedMemory(name=name)
    with lock:
        memory.buf[0] += 1
        queue.put(os.getpid())
    memory.close()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    memory = shared_memory.SharedMemory(create=True, size=100)
    queue, lock = context.Queue(), context.Lock()
    processes = [context.Process(target=put, args=(queue, lock, memory.name)) for _ in range(3)]
    for process in processes: process.start()
    print(len({queue.get() for _ in processes}))
    for process in processes: process.join()
    print([process.exitcode for process in processes], memory.buf[0])
    memory.close()
    memory.unlink()
    with context.Pool(2) as pool: print(pool.map(square, range(5)))
    with ProcessPoolExecutor(2, mp_context=context) as executor: print(list(executor.map(square, range(3))))
`;

describe.skipIf(CANNOT_SANDBOX)('multiprocessing', () => {
  let host: ImageHost;
  beforeAll(async () => {
    await pythonImage();
    host = await imageHost(sharedHome());
  });
  afterAll(() => host[Symbol.asyncDispose]());

  it('has locks, values and shared memory in one process, under `python`', async () => {
    const { report } = await start(host, { program: { kind: 'code', code: ALONE }, limits: LIMITS });
    const { stdout, status, denied } = await report;
    expect({ stdout, status, denied }).toEqual({
      stdout: "<Lock(owner=MainProcess)>\n<Semaphore(value=2)> False 5\nb'abc'\n",
      status: 'ok',
      denied: [],
    });
  });

  it.each([
    ['fork', []],
    ['spawn', []],
    // It talks through a socket with a name, for which no profile has the calls.
    ['forkserver', ['@network']],
  ])('works by %s, under `python-subprocess` and %j', async (method, allow) => {
    const syscalls = { profile: 'python-subprocess', allow };
    const file = { name: 'main.py', content: Buffer.from(TOGETHER) };
    const request = { program: { kind: 'file', file }, arguments: [method], limits: LIMITS, syscalls } as const;
    const { report } = await start(host, request);
    const { stdout, stderr, status, denied } = await report;
    expect({ stdout, stderr, status, denied }).toEqual({
      stdout: '3\n[0, 0, 0] 3\n[0, 1, 4, 9, 16]\n[0, 1, 4]\n',
      stderr: '',
      status: 'ok',
      denied: [],
    });
  });
});
