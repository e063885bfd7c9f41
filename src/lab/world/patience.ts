import type { GuestSnapshot } from "../agent/readings/snapshot.ts";

/** What is looked at of a guest that is to do something. */
export interface Watched {
  readonly guest: {
    snapshot(): Promise<Pick<GuestSnapshot, "meminfo" | "blocks">>;
    /** Whether a kernel thread works on memory that comes or goes. */
    changesMemory(): Promise<boolean>;
  };
  readonly devices: { readonly requests: number };
  /** The guest is gone. */
  readonly over: boolean;
}

/** How often a guest is looked at before it is given up. A look makes it do work, so a slow one is given more time. */
export interface Pace {
  /** Looks in a row that show nothing new, while no thread of its kernel works on memory. */
  readonly quietLooks: number;
  /** Looks in a row that show nothing new, while one does: it may try for ever, as it does with pages that do not move. */
  readonly busyLooks: number;
  /** Between two looks, so that the guest has time of its own. */
  readonly pauseMs: number;
}

const PACE: Pace = { quietLooks: 20, busyLooks: 400, pauseMs: 50 };
/**
 * For a virtio-mem driver: it begins at once, in a thread that is seen, and one that waits tries again after 50 s, which
 * is not to come about while it is looked at.
 *
 * @source Linux drivers/virtio/virtio_mem.c, VIRTIO_MEM_RETRY_TIMER_MIN_MS
 */
export const DRIVER_PACE: Pace = { ...PACE, quietLooks: 5 };

/** What the guest shows of memory that comes and goes. */
const appearance = ({ meminfo, blocks }: Pick<GuestSnapshot, "meminfo" | "blocks">): string =>
  [meminfo.get("MemTotal"), ...blocks.map(({ index, state }) => `${index} ${state}`)].join();

/**
 * Finds out that a guest does nothing more about what was asked of it. It counts answers of the guest, not time: one that
 * has answered so often had the time for what was asked. A guest that gives no answer hangs, which others notice.
 */
export class Patience {
  private readonly watched: Watched;
  private readonly pace: Pace;
  private last = "";
  private quiet = 0;
  private busy = 0;

  constructor(watched: Watched, pace: Pace = PACE) {
    this.watched = watched;
    this.pace = pace;
  }

  /**
   * Looks at the guest once.
   *
   * @param done ends the pause before the look
   * @returns "settled" if it shows what it showed before, and works on nothing; "spent" if it was seen so for long;
   *   "working" otherwise
   */
  async look(done?: Promise<unknown>): Promise<"working" | "settled" | "spent"> {
    const { quietLooks, busyLooks, pauseMs } = this.pace;
    const pause = new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
    await (done === undefined ? pause : Promise.race([pause, done]));
    const { guest, devices, over } = this.watched;
    if (over) return "spent";
    const works = await guest.changesMemory();
    const shown = appearance(await guest.snapshot());
    const seen = [devices.requests, shown].join();
    if (seen !== this.last) [this.last, this.quiet, this.busy] = [seen, 0, 0];
    else if (works) [this.quiet, this.busy] = [0, this.busy + 1];
    else this.quiet++;
    if (this.quiet >= quietLooks || this.busy >= busyLooks) return "spent";
    return this.quiet > 0 ? "settled" : "working";
  }
}

/**
 * @returns what came; undefined if the guest does nothing more about it, or is gone
 * @throws what `answer` is rejected with
 */
export const awaited = async <T>(
  watched: Watched,
  answer: Promise<T>,
  pace?: Pace,
): Promise<T | undefined> => {
  let isHere = false;
  const here = (): void => {
    isHere = true;
  };
  const heard = answer.then(here, here);
  const patience = new Patience(watched, pace);
  while (!watched.over && !isHere && (await patience.look(heard)) !== "spent");
  return isHere ? answer : undefined;
};
