import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Times at random; the same seed gives the same times. */
export class RandomTimes {
  private readonly generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.generator = xoroshiro128plus(seed);
  }

  /** From 0 on, below 1. */
  share(): number {
    return uniformFloat64(this.generator);
  }

  /** The time until the next of what comes at random. */
  exponential(mean: number): number {
    return -Math.log(1 - this.share()) * mean;
  }

  /**
   * A time of this mean and this variation (standard deviation over mean): constant for 0, exponential for 1, else
   * lognormal, as the times of queries are.
   */
  around(mean: number, variation: number): number {
    if (variation === 0 || mean === 0) return mean;
    if (variation === 1) return this.exponential(mean);
    const variance = Math.log(1 + variation ** 2);
    return mean * Math.exp(this.normal() * Math.sqrt(variance) - variance / 2);
  }

  /** Box and Muller. */
  private normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.share())) * Math.cos(2 * Math.PI * this.share());
  }
}
