import { ARCHITECTURE_FACTS } from '../base/architecture.ts';
import type { ImagePath } from '../base/image-path.ts';
import { nameOf } from '../base/image-path.ts';
import { absentLibraries } from './elf-closure.ts';
import type { NeedsInput } from './library-needs.ts';
import { librarySearch, NO_SEARCH_PATHS } from './library-search.ts';
import { lookupIn } from './tree-lookup.ts';
import type { Contents, ElfFacts, Tree } from './tree.ts';

/** A library that something loads by name at run time, which no ELF file tells. */
export interface LoadedByName {
  readonly library: string;
  /** Completes "loaded by name …". */
  readonly why: string;
}

/**
 * What Python distributions load by ctypes or cffi, by normalised name.
 * Source: their documentation of requirements, and their own calls of `dlopen`, `CDLL` and `find_library`.
 */
const BY_DISTRIBUTION: ReadonlyMap<string, readonly string[]> = new Map([
  ['cairocffi', ['libcairo.so.2']],
  ['pylibdmtx', ['libdmtx.so.0']],
  ['pyopengl', ['libGL.so.1']],
  ['python-magic', ['libmagic.so.1']],
  ['pyusb', ['libusb-1.0.so.0']],
  ['pyvips', ['libvips.so.42']],
  ['pyzbar', ['libzbar.so.0']],
  ['sounddevice', ['libportaudio.so.2']],
  [
    'weasyprint',
    ['libgobject-2.0.so.0', 'libpango-1.0.so.0', 'libpangoft2-1.0.so.0', 'libharfbuzz.so.0', 'libfontconfig.so.1'],
  ],
]);

/** Services that glibc has inside since 2.34. Source: glibc 2.34, NEWS, "nss_files" and "nss_dns". */
const BUILT_IN_SERVICES: ReadonlySet<string> = new Set(['files', 'dns']);

/** Providers that are part of libcrypto. Source: OSSL_PROVIDER-default(7), -base(7), -null(7). */
const BUILT_IN_PROVIDERS: ReadonlySet<string> = new Set(['default', 'base', 'null']);

/**
 * Of the known libraries that are loaded by name, those that the image lacks. None of them stops an image: the program may
 * never come to where it loads them. Not looked for: OpenSSL's legacy provider, unless a configuration activates it;
 * gconv modules, without which glibc still converts between UTF-8, UTF-16 and ASCII, and of which it reads the lists where
 * there is no cache of them.
 */
export function missingByName(tree: Tree, contents: Contents, input: NeedsInput): readonly LoadedByName[] {
  const libc = foundLibrary(tree, input, 'libc.so.6');
  const wanted = [
    ...(libc === undefined ? [] : unwinder()),
    ...(libc === undefined ? [] : nameServices(textOf(tree, contents, 'etc/nsswitch.conf'), libc)),
    ...distributions(tree),
  ];
  const absent = absentLibraries(tree, input, [...new Set(wanted.map(({ library }) => library))]);
  const names = new Set(absent.map(({ library }) => library));
  return [...wanted.filter(({ library }) => names.has(library)), ...missingProviders(tree, contents, input)];
}

/** Source: glibc, `__libc_unwind_link_get` in `misc/unwind-link.c`. */
function unwinder(): readonly LoadedByName[] {
  const why = 'by glibc when a thread is cancelled or ends by pthread_exit, and the program aborts without it';
  return [{ library: 'libgcc_s.so.1', why }];
}

/** Source: nsswitch.conf(5). What glibc does not find, it silently goes on without. */
function nameServices(conf: string, libc: ElfFacts): readonly LoadedByName[] {
  const builtIn = libc.versionsDefined.includes('GLIBC_2.34') ? BUILT_IN_SERVICES : new Set<string>();
  const services = conf.split('\n').flatMap((line) => {
    const [, list = ''] = /^\s*\w+:([^#]*)/.exec(line) ?? [];
    return list
      .replaceAll(/\[[^\]]*\]/g, ' ')
      .split(/\s+/)
      .filter((word) => /^\w+$/.test(word));
  });
  return [...new Set(services)]
    .filter((service) => !builtIn.has(service))
    .map((service) => ({
      library: `libnss_${service}.so.2`,
      why: `by glibc, because /etc/nsswitch.conf names the service \`${service}\``,
    }));
}

function distributions(tree: Tree): readonly LoadedByName[] {
  return [...tree.keys()].flatMap((path) => {
    const [, name = ''] =
      /^([A-Za-z0-9._]+)-[^/-]+\.dist-info\/METADATA$/.exec(path.split('/').slice(-2).join('/')) ?? [];
    const libraries = BY_DISTRIBUTION.get(name.toLowerCase().replaceAll(/[_.]+/g, '-')) ?? [];
    return libraries.map((library) => ({ library, why: `by the Python package \`${name}\`` }));
  });
}

/** Providers that OpenSSL's configuration activates. Source: config(5), "Provider Configuration". */
function missingProviders(tree: Tree, contents: Contents, input: NeedsInput): readonly LoadedByName[] {
  if (foundLibrary(tree, input, 'libcrypto.so.3') === undefined) return [];
  const sections = configSections(textOf(tree, contents, 'etc/ssl/openssl.cnf'));
  const providers = sections.get('provider_sect') ?? new Map<string, string>();
  const { multiarch } = ARCHITECTURE_FACTS[input.architecture];
  const lookup = lookupIn(tree);
  return [...providers].flatMap(([name, section]) => {
    const settings = sections.get(section);
    const isActive = /^(?:1|yes|true|on)$/i.test(settings?.get('activate') ?? '');
    if (!isActive || BUILT_IN_PROVIDERS.has(name)) return [];
    const module = settings?.get('module') ?? `${name}.so`;
    const path = module.startsWith('/') ? module : `/usr/lib/${multiarch}/ossl-modules/${module}`;
    if (lookup.find(path)?.file !== undefined) return [];
    return [{ library: path, why: `by OpenSSL, because /etc/ssl/openssl.cnf activates the provider \`${name}\`` }];
  });
}

function configSections(text: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let current = new Map<string, string>();
  for (const line of text.split('\n').map((one) => one.replace(/#.*$/, '').trim())) {
    const [, section] = /^\[\s*([^\]]*?)\s*\]$/.exec(line) ?? [];
    if (section !== undefined) {
      current = sections.get(section) ?? new Map<string, string>();
      sections.set(section, current);
    }
    const [, key, value] = /^([\w.-]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) current.set(key, value);
  }
  return sections;
}

function foundLibrary(tree: Tree, input: NeedsInput, soname: string): ElfFacts | undefined {
  return librarySearch(tree, input).search({ file: NO_SEARCH_PATHS, loader: undefined }, soname).found?.elf;
}

const LONGEST_CONF = 256 * 1024;

function textOf(tree: Tree, contents: Contents, path: ImagePath): string {
  const file = lookupIn(tree).find(path)?.file;
  if (file === undefined || file.size > LONGEST_CONF) return '';
  return Buffer.concat(Array.from(contents.chunks(file.digest, file.size), (chunk) => Buffer.from(chunk))).toString();
}

/** One line for a person. */
export function byNameText({ library, why }: LoadedByName): string {
  const todo = library.startsWith('/') ? '' : `; \`shared_objects: [${nameOf(library)}]\` would bring it`;
  return `\`${library}\`: not in the image, and loaded by name ${why}${todo}`;
}
