/** Work that may wait: a few pieces at a time, what was asked for last first. */

export class Queue {
  #waiting: (() => void)[] = [];
  #running = 0;

  constructor(private readonly most: number) {}

  /** Run a job when it is its turn. */
  run<T>(job: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        job()
          .then(resolve, reject)
          .finally(() => {
            this.#running--;
            this.#next();
          });
      });
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.most) {
      const job = this.#waiting.pop();
      if (!job) return;
      this.#running++;
      job();
    }
  }
}
