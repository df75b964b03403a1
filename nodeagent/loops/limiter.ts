/** At most `limit` of something at a time; the others wait in order. */
export interface Limiter {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createLimiter(limit: number): Limiter {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (running >= limit)
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      else running += 1;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        // A waiting one takes this place over, so that none can come in between.
        if (next) next();
        else running -= 1;
      }
    },
  };
}
