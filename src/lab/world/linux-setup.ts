import { VARIANTS, withoutFixes } from "../../linux/variant.ts";
import type { MachineConfig } from "../../machine/config.ts";
import { NotModelled } from "../../not-modelled.ts";
import { machineConfigOf } from "../../scenario/model/model-config.ts";
import { asStartable } from "../../scenario/model/startable.ts";
import type { Scenario } from "../../scenario/scenario.ts";
import type { GuestNeeds } from "../session/lab-tools.ts";
import { TrustDomain } from "../td/trust-domain.ts";
import { CRASH_MEMORY } from "./another-kernel.ts";
import { checkLinuxFaults } from "./linux-faults.ts";

/** @throws NotModelled for what QEMU cannot be made to be */
const checkMachine = ({ machine, platform }: Scenario): void => {
  const { srat, efiMemoryMap, poolAddress } = machine.firmware;
  if (machine.layout !== "q35") throw new NotModelled("a machine that is not a q35, in the linux world");
  if (srat.kind === "bytes") throw new NotModelled("an SRAT of its own, in the linux world: QEMU makes it");
  if (efiMemoryMap.length > 0)
    throw new NotModelled("an EFI memory map of its own, in the linux world: it is made from QEMU's e820");
  if (poolAddress !== null)
    throw new NotModelled("a place of its own for EFI pool memory, in the linux world: QEMU's e820 decides");
  if (platform !== "tdx") throw new NotModelled(`the platform ${platform} in the linux world`);
  if (machine.host !== null) throw new NotModelled("a TDX host in the linux world");
};

/** Whether fixes that a kernel has are to be missing. A real one lacks what it lacks. */
const lacksFixes = ({ guest }: Scenario): boolean => {
  const whole: { readonly [name: string]: unknown } = { ...VARIANTS[guest.kernel] };
  const without = Object.entries(withoutFixes(VARIANTS[guest.kernel], guest.revert));
  return without.some(([name, value]) => whole[name] !== value);
};

/** @throws NotModelled for what kernels that are fetched cannot be made to be */
const checkKernel = (scenario: Scenario): void => {
  const { deferredInit, kernel, revert } = scenario.guest;
  if (!deferredInit)
    throw new NotModelled(
      "a kernel without deferred initialisation in the linux world: those of Debian have it; give another by --kernel",
    );
  if (lacksFixes(scenario))
    throw new NotModelled(
      `a kernel ${kernel} without the fix of ${revert.join(", ")}, in the linux world: give one by --kernel`,
    );
};

/**
 * The machine of a scenario, which our VMM has been seen to start.
 *
 * @param kernelIsOwn the user says which kernel it is, and so what that lacks
 * @throws NotModelled for what QEMU or a real kernel cannot be made to be; ScenarioError for what no VMM would start
 */
export const linuxConfigOf = (scenario: Scenario, kernelIsOwn = false): MachineConfig => {
  checkMachine(scenario);
  if (!kernelIsOwn) checkKernel(scenario);
  return asStartable(scenario, () => {
    const config = machineConfigOf(scenario);
    checkLinuxFaults(config);
    // Each boot makes the TD anew. What would be refused then is told before a kernel is looked for.
    void new TrustDomain(config);
    return config;
  });
};

/** What a guest has to have with it for a scenario. */
export const needsOf = ({ steps, machine }: Scenario): GuestNeeds => ({
  kexecs: steps.filter(({ kind }) => kind === "kexec" || kind === "crash").length,
  modules: machine.virtioMem.length > 0 ? ["virtio_mem"] : [],
});

/** What a guest is told on its command line beside what every guest is. */
export const commandLineOf = ({ guest, steps }: Scenario): string =>
  [
    `accept_memory=${guest.accept}`,
    // For DIMMs that are there at boot; for those that come later the agent says it again.
    `memhp_default_state=${guest.autoOnline}`,
    ...(steps.some(({ kind }) => kind === "crash") ? [CRASH_MEMORY] : []),
    ...(guest.reserveMem === null
      ? []
      : [`reserve_mem=${guest.reserveMem.size}:${guest.reserveMem.align}:tidemark`]),
    ...(guest.memmapOnMemory ? ["memory_hotplug.memmap_on_memory=1"] : []),
  ].join(" ");
