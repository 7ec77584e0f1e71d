import { canonicalJson } from '../base/canonical-json.ts';

/** What the driver is told. */
export interface DriverRequest {
  /** Module and object. */
  readonly backend: string;
  readonly backendPath: readonly string[];
  /** The project's folder in the source; empty: its top. */
  readonly folder: string;
  /** What the backend has asked for before, in its own words: it is there now. `all`: it need not be asked what is. */
  readonly known: readonly string[] | 'all';
}

/** What a run of the driver gave; the backend may have forged all of it. */
export type DriverAnswer =
  | { readonly kind: 'wheel'; readonly file: string; readonly content: Uint8Array }
  /** Requirements that the backend wants besides those of `build-system.requires`. */
  | { readonly kind: 'requires'; readonly requires: readonly string[] };

/** Where a build has its files. One name for all, as paths get into what compilers make. */
export const BUILD_FOLDER = '/tmp/build';

const MAGIC = 'RCWHEEL1';
const LARGEST_HEAD = 1024 ** 2;
const MOST_REQUIREMENTS = 200;

/** What the driver reads from stdin: a length, JSON, and the tar of the source. */
export function driverInput(request: DriverRequest, tar: Uint8Array): Uint8Array {
  const { backend, backendPath, folder, known } = request;
  const head = Buffer.from(canonicalJson({ backend, backend_path: backendPath, folder, known }), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, tar]);
}

/** Undefined for anything but an answer of the right form. */
export function readDriverAnswer(output: Uint8Array): DriverAnswer | undefined {
  const bytes = Buffer.from(output.buffer, output.byteOffset, output.byteLength);
  if (bytes.length < 12 || bytes.toString('latin1', 0, 8) !== MAGIC) return undefined;
  const length = bytes.readUInt32LE(8);
  if (length > LARGEST_HEAD || 12 + length > bytes.length) return undefined;
  const head = parseHead(bytes.toString('utf8', 12, 12 + length));
  const content = bytes.subarray(12 + length);
  if (typeof head['file'] === 'string') return { kind: 'wheel', file: head['file'], content };
  const requires: readonly unknown[] = Array.isArray(head['requires']) ? head['requires'] : [];
  const texts = requires.filter(
    (item): item is string => typeof item === 'string' && /^[^\p{Cc}]{1,1000}$/u.test(item),
  );
  const isGood = texts.length > 0 && texts.length === requires.length && texts.length <= MOST_REQUIREMENTS;
  return isGood && content.length === 0 ? { kind: 'requires', requires: texts } : undefined;
}

function parseHead(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/**
 * The program that calls a build backend, in a cell. Each hook runs in a process of its own; what they print goes to stderr.
 * Source of the hooks: PEP 517, "Build backend interface".
 */
export const WHEEL_DRIVER: string = `
import importlib, io, json, os, stat, sys, tarfile, traceback

sys.path[:] = [path for path in sys.path if path != '/run/program']
FOLDER = '${BUILD_FOLDER}'
SOURCE = FOLDER + '/source'
WHEELS = FOLDER + '/wheels'
ANSWERS = FOLDER + '/answers'

def fail(text):
    print(text, file=sys.stderr, flush=True)
    os._exit(3)

def hook(name, action):
    # A process for each, as state of one hook confuses the next in some backends.
    path = os.path.join(ANSWERS, name)
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 3
        try:
            answer = json.dumps(action())
            with open(path, 'x') as file:
                file.write(answer)
            status = 0
        except SystemExit as end:
            print('the backend ended with', end.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended != 0:
        fail('the hook %s failed' % name if ended == 3 else 'the hook %s ended with status %d' % (name, ended))
    with open(path) as file:
        return json.load(file)

def backend_of(request):
    folder = os.path.join(SOURCE, request['folder'])
    os.chdir(folder)
    sys.path[:0] = [os.path.join(folder, path) for path in request['backend_path']]
    module, _, name = request['backend'].partition(':')
    found = importlib.import_module(module)
    for part in filter(None, name.split('.')):
        found = getattr(found, part)
    return found

def requires(request):
    wanted = getattr(backend_of(request), 'get_requires_for_build_wheel', None)
    return [] if wanted is None else [str(one) for one in wanted({})]

def wheel(request):
    return str(backend_of(request).build_wheel(WHEELS, {}, None))

def unpack(stream):
    with tarfile.open(fileobj=stream, mode='r|') as tar:
        if hasattr(tarfile, 'data_filter'):
            tar.extractall(SOURCE, filter='tar')
        else:
            tar.extractall(SOURCE)

def answer(out, head, content=b''):
    text = json.dumps(head).encode()
    out.write(b'${MAGIC}' + len(text).to_bytes(4, 'little') + text)
    out.write(content)
    out.flush()
    os._exit(0)

def main():
    os.umask(0o022)
    out = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)
    for path in (FOLDER, SOURCE, WHEELS, ANSWERS, FOLDER + '/home', FOLDER + '/tmp'):
        os.mkdir(path, 0o755)
    stdin = os.fdopen(os.dup(0), 'rb')
    null = os.open('/dev/null', os.O_RDONLY)
    os.dup2(null, 0)
    request = json.loads(stdin.read(int.from_bytes(stdin.read(4), 'little')))
    unpack(stdin)
    stdin.close()
    known = request['known']
    more = [one for one in hook('requires', lambda: requires(request)) if known != 'all' and one not in known]
    if more:
        answer(out, {'requires': more})
    name = hook('wheel', lambda: wheel(request))
    if os.path.basename(name) != name or not name.endswith('.whl'):
        fail('the backend says that it made %r' % name[:200])
    try:
        descriptor = os.open(os.path.join(WHEELS, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        fail('the backend made no wheel %s' % name[:200])
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        fail('the backend made no wheel %s' % name[:200])
    with os.fdopen(descriptor, 'rb') as file:
        answer(out, {'file': name}, file.read())

main()
`;
