import { beforeAll, describe, expect, it } from 'vitest';
import { CANNOT_SANDBOX } from '../native/toy-cell.ts';
import { copyRecipe, pythonImage, rootcellar, workplace } from '../support/command.ts';

/** Programs that need nothing but Python's own library. */
const OWN_LIBRARY: Readonly<Record<string, string>> = {
  threads: `
import queue, threading, time
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    assert sum(pool.map(lambda n: n * n, range(100))) == 328350
tasks, done = queue.Queue(), threading.Event()
worker = threading.Thread(target=lambda: (tasks.get(), done.set()), name="worker")
worker.start()
tasks.put(1)
assert done.wait(5)
worker.join()
threading.Timer(0.01, lambda: None).start()
barrier = threading.Barrier(3)
for thread in [threading.Thread(target=barrier.wait) for _ in range(2)]:
    thread.start()
barrier.wait(5)`,
  asyncio: `
import asyncio, signal
async def main():
    loop = asyncio.get_running_loop()
    seen = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, seen.set)
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.wait_for(seen.wait(), 5)
    assert await asyncio.gather(*(asyncio.sleep(0.01, n) for n in range(50))) == list(range(50))
    assert await asyncio.to_thread(sum, [1, 2]) == 3
    async with asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(0, "done"))
    assert task.result() == "done"
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
    except TimeoutError:
        return
    raise AssertionError("no timeout")
asyncio.run(main())`,
  tempfile: `
import os, shutil, tempfile, zipfile
with tempfile.NamedTemporaryFile("w+", suffix=".txt") as file:
    file.write("x" * 1000)
    file.flush()
    assert os.path.getsize(file.name) == 1000
with tempfile.TemporaryDirectory() as folder:
    os.makedirs(f"{folder}/a/b")
    open(f"{folder}/a/b/c", "w").write("c")
    os.link(f"{folder}/a/b/c", f"{folder}/d")
    os.symlink("d", f"{folder}/e")
    shutil.copytree(f"{folder}/a", f"{folder}/f")
    shutil.make_archive(f"{folder}/all", "zip", f"{folder}/a")
    assert zipfile.ZipFile(f"{folder}/all.zip").read("b/c") == b"c"
    assert len([name for _, _, names in os.walk(folder) for name in names]) == 5
with tempfile.SpooledTemporaryFile(max_size=10) as spooled:
    spooled.write(b"x" * 100)
assert os.listdir("/tmp") == []`,
  sqlite3: `
import sqlite3, threading
database = sqlite3.connect("/tmp/data.db")
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE sold (item TEXT, count INTEGER)")
database.executemany("INSERT INTO sold VALUES (?, ?)", [(f"item {n % 7}", n) for n in range(1000)])
database.commit()
def write():
    own = sqlite3.connect("/tmp/data.db", timeout=30)
    with own:
        own.execute("INSERT INTO sold VALUES ('thread', 1)")
    own.close()
threads = [threading.Thread(target=write) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert database.execute("SELECT count(*), sum(count) FROM sold").fetchone() == (1004, 499504)
database.execute("VACUUM")
copy = sqlite3.connect(":memory:")
database.backup(copy)
assert copy.execute("SELECT count(*) FROM sold").fetchone() == (1004,)`,
  ssl: `
import hashlib, secrets, ssl
context = ssl.create_default_context()
assert context.cert_store_stats()["x509_ca"] > 100
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
client = context.wrap_bio(incoming, outgoing, server_hostname="example.org")
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = outgoing.read()
assert hello[0] == 22 and b"example.org" in hello
assert len(hashlib.scrypt(b"a", salt=secrets.token_bytes(16), n=2**10, r=8, p=1)) == 64`,
  'signals, timers and callbacks of C': `
import ctypes, faulthandler, resource, signal, time
ticks = []
signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
while len(ticks) < 3: time.sleep(0.001)
signal.setitimer(signal.ITIMER_REAL, 0)
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 4)(3, 1, 2, 0)
ctypes.CDLL(None).qsort(numbers, 4, 4, compare(lambda a, b: a[0] - b[0]))
assert list(numbers) == [0, 1, 2, 3]
faulthandler.enable()
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0`,
  'time zones, decimals and text': `
import datetime, decimal, logging, zoneinfo
berlin = zoneinfo.ZoneInfo("Europe/Berlin")
assert datetime.datetime(2024, 7, 1, tzinfo=berlin).utcoffset() == datetime.timedelta(hours=2)
assert decimal.Decimal("0.1") + decimal.Decimal("0.2") == decimal.Decimal("0.3")
logging.basicConfig(filename="/tmp/log")
logging.warning("äöü")
assert "äöü" in open("/tmp/log").read()`,
};

const DATA: Readonly<Record<string, string>> = {
  numpy: `
import numpy
from numpy.lib.stride_tricks import sliding_window_view
generator = numpy.random.default_rng(7)
matrix = generator.random((400, 400))
assert numpy.allclose(numpy.linalg.inv(matrix) @ matrix, numpy.eye(400), atol=1e-6)
assert numpy.allclose(numpy.fft.ifft(numpy.fft.fft(matrix[0])), matrix[0])
numpy.save("/tmp/m.npy", matrix)
mapped = numpy.load("/tmp/m.npy", mmap_mode="r+")
mapped[0, 0] = 5
mapped.flush()
assert numpy.load("/tmp/m.npy")[0, 0] == 5
assert sliding_window_view(numpy.arange(5), 2).shape == (4, 2)`,
  pandas: `
import io, sqlite3
import pandas
text = "when,item,sold\\n2024-01-01,beet,3\\n2024-01-02,kale,4\\n2024-01-08,beet,5\\n"
frame = pandas.read_csv(io.StringIO(text), parse_dates=["when"])
assert frame.groupby("item")["sold"].sum().to_dict() == {"beet": 8, "kale": 4}
assert frame.set_index("when").resample("W")["sold"].sum().tolist() == [7, 5]
assert str(frame["when"].dt.tz_localize("Europe/Berlin")[0]) == "2024-01-01 00:00:00+01:00"
frame.to_csv("/tmp/out.csv", index=False)
database = sqlite3.connect("/tmp/out.db")
frame.to_sql("sold", database)
assert len(pandas.read_sql("SELECT * FROM sold", database)) == 3
database.close()
assert pandas.read_json(io.StringIO(frame.drop(columns="when").to_json())).shape == (3, 2)`,
  matplotlib: `
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plot
figure, axes = plot.subplots(1, 2)
axes[0].plot([1, 2, 3], [1, 4, 9], label="n²")
axes[0].legend()
axes[1].hist([1, 1, 2, 3])
for kind, start in (("png", b"\\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
    figure.savefig(f"/tmp/figure.{kind}")
    assert open(f"/tmp/figure.{kind}", "rb").read().startswith(start)`,
};

/** The archive or index is not there, or has moved on since the lockfile was made: neither is a fault of ours. */
const OUT_OF_REACH = /error\[E_(?:DOWNLOAD|DOWNLOAD_GONE|INDEX_UNKNOWN)\]/;

/** What programs try to do that they can do without: matplotlib asks `fc-list` for fonts, and looks for them itself. */
const TRIED: Readonly<Record<string, readonly string[]>> = { matplotlib: ['clone', 'vfork'] };

interface Told {
  readonly denied: readonly { readonly syscall: string }[];
}

async function expectUntouched(image: string, name: string, code: string): Promise<void> {
  await using work = await workplace();
  await work.write({ 'program.py': `${code}\nprint("well")\n` });
  const { stdout, stderr } = await rootcellar(['run', image, '--json', '--', work.path('program.py')]);
  expect(stderr).toBe('');
  const report: Told = JSON.parse(stdout);
  expect(report).toMatchObject({ status: 'ok', stdout: 'well\n', stderr: '' });
  const tried = TRIED[name] ?? [];
  expect(report.denied.filter(({ syscall }) => !tried.includes(syscall))).toEqual([]);
}

describe.skipIf(CANNOT_SANDBOX)('profile `python`, without configuration', () => {
  let unreachable: string | undefined;

  beforeAll(async () => {
    await pythonImage();
    await using work = await workplace();
    const recipe = await copyRecipe('python-data', work.path('python-data'), { locked: true });
    const own = process.arch === 'x64' ? 'amd64' : 'arm64';
    const built = await rootcellar(['build', recipe, '--locked', '--arch', own]);
    if (OUT_OF_REACH.test(built.stderr)) unreachable = built.stderr;
    else if (built.status !== 0) throw new Error(`recipes/python-data cannot be built:\n${built.stderr}`);
  });

  it.each(Object.entries(OWN_LIBRARY))('is enough for %s', async (name, code) => {
    await expectUntouched('python', name, code);
  });

  it.for(Object.entries(DATA))('is enough for %s', async ([name, code], { skip }) => {
    if (unreachable !== undefined) {
      console.warn(`NOT TESTED: ${name}: what recipes/python-data has locked cannot be had here:\n${unreachable}`);
      skip();
    }
    await expectUntouched('python-data', name, code);
  });
});
