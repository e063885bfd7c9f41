import { DESIGNS_MUTANTS } from "./designs-mutants.ts";
import { HOTPLUG_MUTANTS } from "./hotplug-mutants.ts";
import { LINUX_MUTANTS } from "./linux-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { TDX_MODULE_MUTANTS } from "./tdx-module-mutants.ts";
import { TIDE_MUTANTS } from "./tide-mutants.ts";
import { VMM_MUTANTS } from "./vmm-mutants.ts";

/** Every mutant, by component. */
export const MUTANTS: readonly Mutant[] = [
  ...LINUX_MUTANTS,
  ...HOTPLUG_MUTANTS,
  ...TIDE_MUTANTS,
  ...DESIGNS_MUTANTS,
  ...TDX_MODULE_MUTANTS,
  ...VMM_MUTANTS,
];
