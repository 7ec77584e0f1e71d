import { describe, expect, it } from 'vitest';
import { withSharedObjects } from '../../src/recipe/shared-objects-edit.ts';

const BASE = 'base:\n  debian:\n    suite: trixie # codename\n    packages: [python3]\n';

describe('withSharedObjects()', () => {
  it.each([
    [
      'a list in brackets',
      'name: x\nshared_objects: [ liba.so.1,]  # ours\n',
      'name: x\nshared_objects: [ liba.so.1, libb.so.2,]  # ours\n',
    ],
    [
      'a list a line each',
      'shared_objects:\n  # first\n  - liba.so.1 # why\n  - { arm64: libc.so.3 } # odd\n\nname: "x"\n',
      'shared_objects:\n  # first\n  - liba.so.1 # why\n  - { arm64: libc.so.3 } # odd\n  - libb.so.2\n\nname: "x"\n',
    ],
    [
      'no list yet',
      `# top\nname: x\n${BASE}\n# about python\npython: { requirements: r.txt }\n`,
      `# top\nname: x\n${BASE}shared_objects: [libb.so.2]\n\n# about python\npython: { requirements: r.txt }\n`,
    ],
    [
      'no list and no line feed at the end',
      `name: x\n${BASE.trimEnd()}`,
      `name: x\n${BASE.trimEnd()}\nshared_objects: [libb.so.2]`,
    ],
    [
      'a recipe in braces',
      '{ name: x, base: { debian: {} } }\n',
      '{ name: x, base: { debian: {} }, shared_objects: [libb.so.2] }\n',
    ],
  ])('keeps everything else of %s', (_, before, after) => {
    expect(withSharedObjects(before, ['libb.so.2'])).toBe(after);
    expect(withSharedObjects(before.replaceAll('\n', '\r\n'), ['libb.so.2'])).toBe(after.replaceAll('\n', '\r\n'));
  });

  it('writes what is for one architecture as a map', () => {
    expect(withSharedObjects('shared_objects: [liba.so.1]\n', [{ arm64: 'libb.so.2' }])).toBe(
      'shared_objects: [liba.so.1, { arm64: libb.so.2 }]\n',
    );
  });

  it('writes the whole text anew where a list is another one’s alias', () => {
    const text = 'x: &list [liba.so.1]\nshared_objects: *list\n';
    expect(withSharedObjects(text, ['libb.so.2'])).toBe(
      'x: &list [ liba.so.1 ]\nshared_objects: [ liba.so.1, libb.so.2 ]\n',
    );
  });
});
