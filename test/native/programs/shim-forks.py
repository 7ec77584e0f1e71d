# shim-forks.py SHIM ROOT COUNT: confines COUNT processes, each of which does some work; prints how they ended.
import asyncio, collections, ctypes, json, os, sys, threading, time

path, root, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
ctypes.CDLL('libgcc_s.so.1')  # threads end with its help, and the root has no libraries
os.chdir(root)

async def wait_twice():
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.0001))

def work(number):
    shim = ctypes.CDLL(path)
    code = shim.DifySeccomp(10000 + number % 1000, 65537, number % 2 == 1)
    threads = [threading.Thread(target=time.sleep, args=(0.0001,)) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    asyncio.run(wait_twice())
    json.loads(json.dumps({'a': list(range(100))}))
    bytearray(1 << 20)
    os.stat('/')
    os._exit(code)

endings = collections.Counter()
running = 0
for number in range(count):
    if os.fork() == 0:
        try: work(number)
        finally: os._exit(99)
    running += 1
    if running == 4:
        endings[os.wait()[1]] += 1
        running -= 1
for _ in range(running):
    endings[os.wait()[1]] += 1
print(' '.join(f'{ending}:{times}' for ending, times in sorted(endings.items())))
