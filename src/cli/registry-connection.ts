import type { PipelineContext } from '../pipeline-context.ts';
import type { ImageReference } from '../publish/image-reference.ts';
import type { Registry } from '../publish/registry-client.ts';

export interface RegistryUse {
  readonly reference: ImageReference;
  readonly plainHttp?: boolean | undefined;
}

/** Opens a registry with the user's login, and closes it after `action`. */
export async function withRegistry<T>(
  { reference, plainHttp = false }: RegistryUse,
  { environment, signal, progress }: PipelineContext,
  action: (registry: Registry) => Promise<T>,
): Promise<T> {
  // The network library takes long to load: no other verb needs it here.
  const [{ openRegistry }, { findCredentials }] = await Promise.all([
    import('../publish/registry-client.ts'),
    import('../publish/registry-credentials.ts'),
  ]);
  const credentials = await findCredentials({ ...reference, environment, signal });
  const registry = await openRegistry({ reference, environment, credentials, plainHttp, signal, progress });
  try {
    return await action(registry);
  } finally {
    await registry.close();
  }
}
