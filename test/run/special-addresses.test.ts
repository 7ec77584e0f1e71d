import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/recipe/network-host.ts';
import { isSpecialAddress } from '../../src/run/special-addresses.ts';

function isSpecial(text: string): boolean {
  const address = parseAddress(text);
  if (address?.kind !== 'address') throw new Error(`${text} is no address`);
  return isSpecialAddress(address);
}

describe('isSpecialAddress()', () => {
  it.each(
    `
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.8.8.8 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1
    203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::ffff:10.0.0.1
    64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:db8::1 2002:a00:1:: 3fff::1 5f00::1
    fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1`
      .trim()
      .split(/\s+/),
  )('is true of %s', (address) => {
    expect(isSpecial(address)).toBe(true);
  });

  it.each(
    `
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
    172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255 ::ffff:8.8.8.8 2001:4860:4860::8888
    2606:4700::1111 2a00::1`
      .trim()
      .split(/\s+/),
  )('is not true of %s', (address) => {
    expect(isSpecial(address)).toBe(false);
  });
});
