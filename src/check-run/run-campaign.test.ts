import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { WITH_PACKAGES } from "../../scripts/set-up/bundle.mjs";
import { runCampaign } from "./run-campaign.ts";

const LONG = { timeout: 600_000 };
const folder = mkdtempSync(join(tmpdir(), "tidemark-campaign-"));
const outfile = join(folder, "campaign-thread.mjs");
buildSync({
  entryPoints: [join(import.meta.dirname, "campaign-thread.ts")],
  outfile,
  ...WITH_PACKAGES,
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const module = pathToFileURL(outfile);
const TIDE = { design: "tide", rules: [], walks: 2, steps: 200 };

it("comes to the same on one thread, on two, and on none of its own", LONG, async () => {
  const range = { plan: TIDE, first: 4, last: 5 };
  const here = await runCampaign({ ...range, threads: 1 });
  expect(here).toMatchObject({ seeds: 2, walks: 4, failure: null, next: null });
  expect(await runCampaign({ ...range, threads: 1, module })).toEqual(here);
  expect(await runCampaign({ ...range, threads: 2, module })).toEqual(here);
});

it("ends at the first seed that fails, whoever played it", LONG, async () => {
  const range = { plan: { ...TIDE, design: "none", rules: ["I1"] }, first: 1, last: 40 };
  const here = await runCampaign({ ...range, threads: 1 });
  expect(here.failure).not.toBe(null);
  expect(here.seeds).toBe(here.failure!.seed);
  expect(await runCampaign({ ...range, threads: 2, module })).toEqual(here);
});

it("that is stopped says with which seed to go on, and the two parts are the whole", LONG, async () => {
  const stop = new AbortController();
  const range = { plan: TIDE, first: 4, last: 5, threads: 1 };
  const begun = await runCampaign({
    ...range,
    signal: stop.signal,
    progress: ({ seeds }) => {
      if (seeds === 1) stop.abort();
    },
  });
  expect(begun).toMatchObject({ failure: null });
  const rest = await runCampaign({ ...range, first: begun.next! });
  const whole = await runCampaign(range);
  expect([begun.seeds + rest.seeds, begun.steps + rest.steps]).toEqual([whole.seeds, whole.steps]);
});
