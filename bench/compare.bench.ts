import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DESIGN_NAMES } from "../src/designs/designs.ts";
import { compareDesigns } from "../src/scenario/design-comparison.ts";
import { loadScenario } from "../src/scenario/load.ts";
import { ModelWorld } from "../src/scenario/model/model-world.ts";
import { figure, heading, median } from "./stopwatch.ts";

const file = join(resolve("scenarios"), "virtio-mem-replug.yaml");
const scenario = loadScenario(readFileSync(file, "utf8"), {
  file,
  designs: DESIGN_NAMES,
  readBytes: (path) => readFileSync(resolve(dirname(file), path)),
});

const open = async () => new ModelWorld();

heading("tidemark compare virtio-mem-replug, loaded once");
/** Processor time rather than the clock's: other work on the machine counts for little. Garbage collection is in it. */
const spent = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const times: number[] = [];
for (let run = 0; run < 7; run++) {
  const begun = spent();
  await compareDesigns(scenario, { version: "bench", designs: DESIGN_NAMES, open });
  times.push(spent() - begun);
}
figure(`${DESIGN_NAMES.length} designs, the first time`, `${times[0]!.toFixed(0)} ms`, "goal: 500 ms for 7");
figure(`${DESIGN_NAMES.length} designs, again`, `${median(times.slice(2)).toFixed(0)} ms`);
