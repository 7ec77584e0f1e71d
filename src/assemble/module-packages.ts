/**
 * What to require for a module whose distribution has another name, by the first part of the module's name.
 * Source: the `top_level.txt` and file lists of the distributions themselves.
 */
const DISTRIBUTIONS: ReadonlyMap<string, string> = new Map([
  ['Crypto', 'pycryptodome'],
  ['Cryptodome', 'pycryptodomex'],
  ['Levenshtein', 'levenshtein'],
  ['MySQLdb', 'mysqlclient'],
  ['OpenSSL', 'pyopenssl'],
  ['PIL', 'pillow'],
  ['attr', 'attrs'],
  ['bs4', 'beautifulsoup4'],
  ['cairosvg', 'cairosvg'],
  ['cv2', 'opencv-python-headless'],
  ['dateutil', 'python-dateutil'],
  ['dns', 'dnspython'],
  ['docx', 'python-docx'],
  ['dotenv', 'python-dotenv'],
  ['fitz', 'pymupdf'],
  ['git', 'gitpython'],
  ['google', 'protobuf'],
  ['grpc', 'grpcio'],
  ['jose', 'python-jose'],
  ['jwt', 'pyjwt'],
  ['lxml', 'lxml'],
  ['magic', 'python-magic'],
  ['markdown', 'markdown'],
  ['matplotlib', 'matplotlib'],
  ['mpl_toolkits', 'matplotlib'],
  ['multipart', 'python-multipart'],
  ['nacl', 'pynacl'],
  ['pkg_resources', 'setuptools'],
  ['pptx', 'python-pptx'],
  ['psycopg2', 'psycopg2-binary'],
  ['pylab', 'matplotlib'],
  ['pymupdf', 'pymupdf'],
  ['pythoncom', 'pywin32'],
  ['ruamel', 'ruamel-yaml'],
  ['serial', 'pyserial'],
  ['skimage', 'scikit-image'],
  ['sklearn', 'scikit-learn'],
  ['slugify', 'python-slugify'],
  ['socks', 'pysocks'],
  ['telegram', 'python-telegram-bot'],
  ['umap', 'umap-learn'],
  ['usb', 'pyusb'],
  ['websocket', 'websocket-client'],
  ['win32api', 'pywin32'],
  ['yaml', 'pyyaml'],
  ['zmq', 'pyzmq'],
]);

/** Modules of the standard library that Debian has in packages of their own. Source: file lists of trixie's packages. */
const DEBIAN_PACKAGES: ReadonlyMap<string, string> = new Map([
  ['_tkinter', 'python3-tk'],
  ['dbm.gnu', 'python3-gdbm'],
  ['_gdbm', 'python3-gdbm'],
  ['ensurepip', 'python3-venv'],
  ['idlelib', 'idle'],
  ['pip', 'python3-pip'],
  ['setuptools', 'python3-setuptools'],
  ['tkinter', 'python3-tk'],
  ['turtle', 'python3-tk'],
  ['venv', 'python3-venv'],
]);

/** Modules that are part of the interpreter itself. Source: `sys.builtin_module_names` of Debian's Python 3.13. */
const BUILT_IN: ReadonlySet<string> = new Set(
  (
    '_abc _ast _bisect _blake2 _codecs _collections _csv _datetime _elementtree _functools _heapq _imp _io _json ' +
    '_locale _md5 _opcode _operator _pickle _posixsubprocess _random _sha1 _sha2 _sha3 _signal _socket _sre _stat ' +
    '_statistics _string _struct _symtable _sysconfig _thread _tokenize _tracemalloc _typing _warnings _weakref array ' +
    'atexit binascii builtins cmath errno faulthandler fcntl gc grp itertools marshal math posix pwd pyexpat select ' +
    'spwd sys syslog time unicodedata zlib'
  ).split(' '),
);

export const KNOWN_MODULES: readonly string[] = [...DISTRIBUTIONS.keys(), ...DEBIAN_PACKAGES.keys()];

/** The requirement that likely brings a module; undefined where nothing is known, and the name itself is the best guess. */
export function requirementOf(module: string): string | undefined {
  return DISTRIBUTIONS.get(module.split('.')[0] ?? '');
}

/** The Debian package of a module that Python has and Debian splits off. */
export function debianPackageOf(module: string): string | undefined {
  return DEBIAN_PACKAGES.get(module) ?? DEBIAN_PACKAGES.get(module.split('.')[0] ?? '');
}

export function isBuiltIn(module: string): boolean {
  return BUILT_IN.has(module);
}
