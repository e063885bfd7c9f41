import { type Status, statusText } from "../../abi/tdx/status.ts";
import { errnoName } from "../../linux/errno.ts";
import { FAULT_CALLS } from "../../machine/faults/fault-calls.ts";
import type { Machine } from "../../machine/machine.ts";
import { unmadeTd } from "../../machine/td-build.ts";
import type { Outcome } from "../world.ts";

const nameOf = (code: number): string =>
  FAULT_CALLS.find((call) => call.boundary === "creation" && call.code === code)?.name ?? String(code);

/** What a boot step answers whose TD cannot be made, by the faults of the scenario; undefined if it can. */
export const tdNotMade = (machine: Machine): Outcome | undefined => {
  const { platform, injector, config } = machine;
  if (platform.name !== "tdx" || injector?.points.concerns("creation") !== true) return undefined;
  const { levels } = machine.td.sept;
  const failed = unmadeTd(config.vcpus, levels, (code, start, end) => injector.creation(code, start, end));
  if (failed === undefined) return undefined;
  const { errno, ioctl, code, answer } = failed;
  const said = answer < 0 ? errnoName(answer) : statusText(answer as Status);
  return {
    status: errnoName(errno),
    detail: `the VM does not start: ${ioctl}, ${nameOf(code)} answers ${said}`,
  };
};
