import { existsSync, writeFileSync } from "node:fs";
import { UnitAcceptance, type UnitAcceptanceOptions } from "../../check/unit-acceptance.ts";
import { keepInFile } from "../keep-in-file.ts";
import { runSearch } from "../run-search.ts";

/** What a run of this program is given, as JSON. */
export interface YardstickRun {
  readonly configuration: UnitAcceptanceOptions;
  readonly threads: number;
  readonly thread: string;
  readonly checkpoint: string;
  /** Whether the process kills itself once there is a checkpoint. */
  readonly dies: boolean;
  readonly answer: string;
}

const run: YardstickRun = JSON.parse(process.argv[2]!);
const { configuration, threads, checkpoint: path, dies } = run;
const keep = keepInFile(path, JSON.stringify(configuration), dies ? 0 : 3_600_000);
const { goals, ...counts } = await runSearch({
  open: (options: UnitAcceptanceOptions) => new UnitAcceptance(options),
  ...{ configuration, threads, module: new URL(run.thread) },
  keep,
  progress: () => {
    if (dies && existsSync(path)) process.kill(process.pid, "SIGKILL");
    return true;
  },
});
keep.remove();
writeFileSync(run.answer, JSON.stringify({ ...counts, goals: [...goals] }));
