type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a registry is on this machine itself, by its name. */
export function isLoopback(registry: string): boolean {
  const host = hostOf(registry);
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** A proxy is asked for no address of this machine, as docker and skopeo do it. */
export function withoutProxyFor(registry: string, environment: Environment): Environment {
  if (!isLoopback(registry)) return environment;
  const others = environment['no_proxy'] ?? environment['NO_PROXY'] ?? '';
  return { ...environment, no_proxy: [others, hostOf(registry)].filter((one) => one !== '').join(',') };
}

function hostOf(registry: string): string {
  return registry.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}
