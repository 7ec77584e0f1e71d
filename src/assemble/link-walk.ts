import type { ImagePath } from '../base/image-path.ts';

/** As many as the kernel follows. Source: path_resolution(7). */
const MOST_LINKS = 40;

/**
 * The path that `path` leads to when symbolic links are followed inside the image, never out of its root; the last name
 * too. `targetOf` tells the target of the link at a path, or undefined when there is no link.
 * Undefined when links lead in a circle.
 */
export function followLinks(path: ImagePath, targetOf: (path: ImagePath) => string | undefined): ImagePath | undefined {
  const ahead = path.split('/').toReversed();
  const behind: string[] = [];
  let links = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '..') behind.pop();
    if (name === '' || name === '.' || name === '..') continue;
    const target = targetOf([...behind, name].join('/'));
    if (target === undefined) {
      behind.push(name);
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return undefined;
    if (target.startsWith('/')) behind.length = 0;
    ahead.push(...target.split('/').toReversed());
  }
  return behind.join('/');
}
