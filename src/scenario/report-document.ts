import { RMP_STATES, type RmpState } from "../machine/rmp-states.ts";
import type { DesignComparison, DesignCost } from "./design-comparison.ts";
import type { MapPicture, RunReport } from "./report.ts";

const BY_NAME: { readonly [sept: string]: RmpState } = RMP_STATES;

/** An SNP guest has no secure EPT: its states go by the names of the RMP's. */
const rmpPicture = ({ runs, ...picture }: MapPicture) => ({
  ...picture,
  runs: runs.map(({ sept, ...run }) => ({ ...run, rmp: BY_NAME[sept] ?? RMP_STATES.FREE })),
});

/** The report as `run --json` prints it (`reportSchema`): by the names of TDX, or of SEV-SNP where the guest is one of it. */
export const reportDocument = (report: RunReport): object => {
  if (report.setup.platform !== "snp") return report;
  const { tdcalls, seamcalls, ...cost } = report.cost;
  return {
    ...report,
    formatVersion: 2,
    map: { before: rmpPicture(report.map.before), after: rmpPicture(report.map.after) },
    cost: { guestCalls: tdcalls, hostCalls: seamcalls, ...cost },
  };
};

const snpCost = ({ tdcalls, exits, ...cost }: DesignCost) => {
  const { TDVMCALL = 0, ...others } = exits;
  return { guestCalls: tdcalls, exits: { ...others, VMGEXIT: TDVMCALL }, ...cost };
};

/** The comparison as `compare --json` prints it (`comparisonSchema`). */
export const comparisonDocument = (comparison: DesignComparison): object => {
  if (!comparison.designs.some(({ platform }) => platform === "snp")) return comparison;
  return {
    ...comparison,
    formatVersion: 2,
    designs: comparison.designs.map((row) =>
      row.platform !== "snp" || row.cost === null ? row : { ...row, cost: snpCost(row.cost) },
    ),
  };
};
