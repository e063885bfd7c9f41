import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { playSeed } from "../check/campaign/play-seed.ts";
import { CAMPAIGN_THREAD, type CampaignAnswer, type CampaignThreadData } from "./campaign-messages.ts";

/**
 * This very file, for threads to begin with: bundled, it is a part of its own. Undefined where it lies as a source, which
 * Node 20 does not read.
 */
export const CAMPAIGN_MODULE: URL | undefined = import.meta.url.endsWith(".ts")
  ? undefined
  : new URL(import.meta.url);

/** A worker of somebody else's may load this file as well. */
const isCampaign = (data: unknown): boolean =>
  typeof data === "object" && data !== null && "kind" in data && data.kind === CAMPAIGN_THREAD;

const serve = ({ plan }: CampaignThreadData): void => {
  const answer = (message: CampaignAnswer): void => parentPort?.postMessage(message);
  parentPort?.on("message", (seed: number) => {
    playSeed(plan, seed).then(
      (outcome) => answer({ outcome }),
      (error: unknown) => answer({ error }),
    );
  });
};

if (!isMainThread && isCampaign(workerData)) serve(workerData);
