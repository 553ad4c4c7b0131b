/** Messages go when their time is over and they were delivered, from the old end of the archives (XEP-0313 §3.2). */
import { defineModule } from "./context.ts";

/** How often it is looked, in milliseconds. */
const interval = 3_600_000;
const day = 86_400_000;

export default defineModule({
  name: "archive-retention",
  setup: ({ archive, config, fullText, log }) => {
    const days = config.archive.keep_days;
    if (days === 0) return {};
    const trim = (): void => {
      archive
        .trim(new Date(Date.now() - days * day), (positions) => fullText.remove(positions))
        .catch((error: unknown) => log.error({ err: error }, "old messages could not be deleted"));
    };
    const first = setTimeout(trim, 0);
    const timer = setInterval(trim, interval);
    timer.unref();
    return {
      close: () => {
        clearTimeout(first);
        clearInterval(timer);
      },
    };
  },
});
