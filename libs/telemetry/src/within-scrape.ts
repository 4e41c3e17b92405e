/** Below the time that Prometheus gives a scrape, so that one slow answer does not cost all of them. */
const answerTimeoutMs = 3_000;

/** @returns whether `collect` has ended well in time */
export async function withinScrape(collect: () => void | Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), answerTimeoutMs);
  });
  try {
    const collected = Promise.resolve(collect()).then(() => true);
    return await Promise.race([collected, timeout]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** One question for several gauges of the same scrape: who asks while it is under way shares its answer. */
export function shareAnswer<T>(ask: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () =>
    (underWay ??= ask().finally(() => {
      underWay = undefined;
    }));
}
