import { describe, expect, it, vi } from 'vitest';
import { missingForNetworks } from './network.js';
import { isNotTried } from './not-tried.js';

describe('A trial that cannot be made', () => {
  it('says which package of Debian is missing', () => {
    vi.stubEnv('PATH', '');
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    expect(isNotTried('a partition', missingForNetworks())).toBe(true);
    expect(written).toHaveBeenCalledWith(
      "not tried: a partition: Debian's package iproute2 and Debian's package nftables missing\n",
    );
  });

  it('is left out for nothing else, and says nothing where nothing is missing', () => {
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    expect(isNotTried('a partition', [])).toBe(false);
    expect(written).not.toHaveBeenCalled();
  });
});
