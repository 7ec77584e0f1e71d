/** Files that images can do without, under a name. */
export interface TrimSet {
  readonly name: string;
  /** What goes and what is lost, for people. */
  readonly reason: string;
  /** What goes. A glob that means a folder means all that is in it. */
  readonly globs: readonly string[];
  /** What stays all the same. */
  readonly keep: readonly string[];
  /** Whether a Python module that code outside of the set imports stays. */
  readonly keepsImported: boolean;
}

/** Where modules of packages lie: Debian's own folders, those of pip, and those of a Python anywhere. */
const SITE = '/**/{site,dist}-packages';
const STANDARD = '/**/lib/python3*';

/**
 * The sets that `trim` knows, in byte order of name. What they mean decides the bytes of images: it is part of the format,
 * and whoever changes it makes a new one.
 *
 * Licences stay: no set takes a `copyright` file or the metadata of a Python package.
 */
export const TRIM_SETS: readonly TrimSet[] = [
  set('bytecode', 'compiled Python modules: half of the size of the code, but every start compiles anew', [
    '/**/__pycache__',
  ]),
  set('changelogs', 'what is new in each version of a package', [
    '/usr/share/doc/*/{changelog,changelog.*,changelog-*,NEWS,NEWS.*,ChangeLog,ChangeLog.*,Changes,Changes.*}',
  ]),
  set('completions', 'completion of commands in interactive shells', [
    '/usr/share/bash-completion',
    '/usr/share/zsh',
    '/usr/share/fish',
    '/etc/bash_completion.d',
  ]),
  set('debian-tools', 'dpkg and debconf, which come along as dependencies and have nothing to do in a finished image', [
    '/etc/{alternatives/README,debconf.conf,dpkg,logrotate.d/{alternatives,dpkg}}',
    '/usr/bin/{debconf*,dpkg*,update-alternatives}',
    '/usr/lib/dpkg',
    '/usr/libexec/dpkg',
    '/usr/sbin/{dpkg*,start-stop-daemon,update-ca-certificates}',
    '/usr/share/{debconf,dpkg,polkit-1}',
    '/usr/share/perl5/{Debconf,Debian}',
    '/usr/share/python3/{debpython,runtime.d}',
    '/usr/bin/{py3clean,py3compile,py3versions}',
    '/var/lib/dpkg/{alternatives,info,parts,triggers,updates}',
  ]),
  docs(),
  set('examples', 'example programs and settings', [
    '/usr/share/doc/*/{examples,demo,demos}',
    '/usr/share/examples',
    '/usr/local/share/examples',
  ]),
  set('gconv', 'conversion of rare character sets by the C library; Python has its own', {
    globs: ['/usr/lib/**/gconv/*'],
    keep: [
      '/usr/lib/**/gconv/gconv-modules*',
      '/usr/lib/**/gconv/{UTF-7,UTF-16,UTF-32,UNICODE,ISO8859-1,ISO8859-15,CP1252}.so',
    ],
  }),
  set('headers', 'headers of C, C++ and Cython; what compiles at run time (torch, triton, cffi) needs them', [
    '/usr/include',
    '/usr/local/include',
    '/usr/share/{aclocal,pkgconfig,cmake}',
    '/usr/lib/**/{pkgconfig,cmake}',
    '/usr/local/lib/**/pkgconfig',
    `${SITE}/**/*.{h,hh,hpp,hxx,cuh,pxd,pxi,pyx}`,
  ]),
  set('info', 'manuals in the format of GNU info', ['/usr/share/info', '/usr/local/share/info']),
  set('lintian', 'notes of packagers to checkers and bug reporters', ['/usr/share/{lintian,linda,bug,doc-base}']),
  set('locale', 'texts in other languages than English, and locales other than C.UTF-8', {
    globs: ['/usr/share/locale/*', '/usr/local/share/locale/*', '/usr/share/i18n', '/usr/lib/locale/*'],
    keep: ['/usr/share/locale/locale.alias', '/usr/lib/locale/C.{utf8,UTF-8}'],
  }),
  set('man', 'manual pages', ['/usr/share/man', '/usr/local/share/man', '/usr/local/man']),
  set('pip', 'pip and what brings it into virtual environments: images are complete when they are made', [
    `${SITE}/pip`,
    `${SITE}/pip-*.dist-info`,
    `${STANDARD}/ensurepip`,
    '/usr/{,local/}bin/pip{,3,3.*}',
    '/usr/share/python-wheels',
  ]),
  set('services', 'units, timers and logging of services: nothing starts them in a cell', [
    '/etc/{cron.daily,cron.weekly,cron.d,default,init.d,logrotate.d,rc*.d}',
    '/usr/lib/{systemd,tmpfiles.d,sysusers.d,udev}',
    '/usr/share/initramfs-tools',
  ]),
  set('static-libraries', 'archives for linking statically', [
    '/usr/{,local/}lib/**/lib*.{a,la}',
    '/usr/{,local/}lib/lib*.{a,la}',
    `${STANDARD}/config-3*/lib*.a`,
    `${SITE}/**/lib*.{a,la,lib}`,
  ]),
  set('terminfo', 'descriptions of rare terminals', {
    globs: ['/usr/share/terminfo/*/*', '/usr/lib/terminfo/*/*'],
    keep: ['/usr/**/terminfo/{d/dumb,a/ansi,l/linux,v/vt100,v/vt220,x/xterm*,s/screen*,t/tmux*}'],
  }),
  tests(),
  set('tkinter', 'windows by Tk: without a display they never open', [
    `${STANDARD}/{tkinter,idlelib,turtledemo,turtle.py}`,
    `${STANDARD}/lib-dynload/_tkinter.*`,
    '/usr/{,local/}bin/{idle,idle3,idle3.*}',
  ]),
];

/** `pydoc_data` has the texts of `help('if')` and the like. */
function docs(): TrimSet {
  return set('docs', 'documentation of packages, and the texts of Python’s own help', {
    globs: [
      '/usr/share/doc/*/*',
      '/usr/share/{gtk-doc,help,devhelp}',
      '/usr/local/share/doc',
      `${STANDARD}/pydoc_data/topics.py`,
    ],
    keep: ['/usr/share/doc/*/{copyright*,COPYING*,LICEN[CS]E*,NOTICE*}'],
  });
}

/** Only folders called `tests`: `test`, `testing` and `_testing` are things that programs import. */
function tests(): TrimSet {
  return set('tests', 'tests of Python and of its packages; a module of them that other code imports stays', {
    globs: [
      `${SITE}/**/tests`,
      `${SITE}/**/conftest.py`,
      `${STANDARD}/test`,
      `${STANDARD}/{idlelib/idle_test,unittest/test,tkinter/test,ctypes/test,sqlite3/test}`,
      `${STANDARD}/{distutils,lib2to3}/tests`,
      `${STANDARD}/lib-dynload/{_test*,_ctypes_test*,_xxtestfuzz*,xxlimited*}`,
    ],
    keepsImported: true,
  });
}

type SetContents = Pick<TrimSet, 'globs'> & Partial<TrimSet>;

function set(name: string, reason: string, contents: readonly string[] | SetContents): TrimSet {
  const rest = 'globs' in contents ? contents : { globs: contents };
  return { name, reason, keep: [], keepsImported: false, ...rest };
}

/** What a recipe may call a set. */
export const TRIM_SET_NAMES: readonly string[] = TRIM_SETS.map(({ name }) => name);
