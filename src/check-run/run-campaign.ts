import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  type CampaignFailure,
  type CampaignPlan,
  playSeed,
  type SeedOutcome,
} from "../check/campaign/play-seed.ts";
import { CAMPAIGN_THREAD, type CampaignAnswer, type CampaignThreadData } from "./campaign-messages.ts";

export interface CampaignOptions {
  readonly plan: CampaignPlan;
  /** Seeds from the first to the last. */
  readonly first: number;
  readonly last: number;
  readonly threads: number;
  /** Module that plays seeds in a thread. Without it they are played here, one after the other. */
  readonly module?: URL;
  /** Ends the campaign with what is known. */
  readonly signal?: AbortSignal;
  /** Called when a seed was played. */
  readonly progress?: (counts: CampaignCounts) => void;
}

export interface CampaignCounts {
  readonly seeds: number;
  readonly walks: number;
  readonly steps: number;
  readonly rested: number;
  /** Seeds that came upon what is not modelled. */
  readonly notModelled: number;
}

/** The same for any number of threads, if nobody stopped it. */
export interface CampaignResult extends CampaignCounts {
  /** Of the first seed that has one; later seeds do not count. */
  readonly failure: CampaignFailure | null;
  /** Seed with which to go on; null if all that was asked for was played. */
  readonly next: number | null;
}

/** Something that plays one seed at a time. */
interface Player {
  play(seed: number): Promise<SeedOutcome>;
  end(): Promise<void>;
}

const playHere = (plan: CampaignPlan): Player => ({
  play: async (seed) => {
    await setImmediate();
    return playSeed(plan, seed);
  },
  end: async () => {},
});

const playInThread = (plan: CampaignPlan, module: URL): Player => {
  const data: CampaignThreadData = { kind: CAMPAIGN_THREAD, plan };
  const worker = new Worker(module, { workerData: data });
  return {
    play: (seed) =>
      new Promise((resolve, reject) => {
        worker.removeAllListeners();
        worker.on("error", reject);
        worker.on("exit", (code) => reject(new Error(`a thread of the campaign ended with ${code}`)));
        worker.on("message", (answer: CampaignAnswer) =>
          "outcome" in answer ? resolve(answer.outcome) : reject(answer.error),
        );
        worker.postMessage(seed);
      }),
    end: async () => {
      worker.removeAllListeners();
      await worker.terminate();
    },
  };
};

/** Seeds as they are given out and come back, in whatever order; what counts is the row of those without a gap. */
class Seeds {
  private readonly first: number;
  private next: number;
  /** No seed behind this one counts any more. */
  private last: number;
  private readonly played = new Map<number, SeedOutcome>();

  constructor(first: number, last: number) {
    this.first = first;
    this.next = first;
    this.last = last;
  }

  /** A seed that nobody has played; undefined if there is none left that counts. */
  take(): number | undefined {
    return this.next <= this.last ? this.next++ : undefined;
  }

  note(outcome: SeedOutcome): void {
    this.played.set(outcome.seed, outcome);
    if (outcome.failure !== null && outcome.seed < this.last) this.last = outcome.seed;
  }

  result(): CampaignResult {
    const counts = { seeds: 0, walks: 0, steps: 0, rested: 0, notModelled: 0 };
    for (let seed = this.first; seed <= this.last; seed++) {
      const outcome = this.played.get(seed);
      if (outcome === undefined) return { ...counts, failure: null, next: seed };
      counts.seeds++;
      counts.walks += outcome.walks;
      counts.steps += outcome.steps;
      counts.rested += outcome.rested;
      if (outcome.notModelled) counts.notModelled++;
      if (outcome.failure !== null) return { ...counts, failure: outcome.failure, next: null };
    }
    return { ...counts, failure: null, next: null };
  }
}

/** Resolves when the signal comes. */
const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

/**
 * Plays seeds until one fails or all are played. A seed's outcome depends on nothing but the seed and the plan, so a range
 * of them may be cut into pieces and played anywhere, in any order.
 *
 * @throws what a seed threw: a mistake of the machine
 */
export const runCampaign = async (options: CampaignOptions): Promise<CampaignResult> => {
  const { plan, first, last, threads, module, signal, progress } = options;
  const seeds = new Seeds(first, last);
  const players =
    module === undefined
      ? [playHere(plan)]
      : Array.from({ length: Math.min(threads, last - first + 1) }, () => playInThread(plan, module));
  const playOn = async (player: Player): Promise<void> => {
    for (let seed = seeds.take(); seed !== undefined && signal?.aborted !== true; seed = seeds.take()) {
      seeds.note(await player.play(seed));
      progress?.(seeds.result());
    }
  };
  try {
    const all = Promise.all(players.map(playOn));
    await (signal === undefined ? all : Promise.race([all, stopped(signal)]));
    return seeds.result();
  } finally {
    await Promise.all(players.map((player) => player.end()));
  }
};
