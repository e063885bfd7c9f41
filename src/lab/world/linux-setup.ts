import type { MachineConfig } from "../../machine/config.ts";
import { NotModelled } from "../../not-modelled.ts";
import { machineConfigOf } from "../../scenario/model/model-config.ts";
import { asStartable } from "../../scenario/model/startable.ts";
import type { Scenario } from "../../scenario/scenario.ts";
import type { GuestNeeds } from "../session/lab-tools.ts";
import { TrustDomain } from "../td/trust-domain.ts";
import { CRASH_MEMORY } from "./another-kernel.ts";
import { checkLinuxFaults } from "./linux-faults.ts";

/**
 * The machine of a scenario, which our VMM has been seen to start.
 *
 * @throws NotModelled for what QEMU or a real kernel cannot be made to be; ScenarioError for what no VMM would start
 */
export const linuxConfigOf = (scenario: Scenario): MachineConfig => {
  if (scenario.machine.layout !== "q35")
    throw new NotModelled("a machine that is not a q35, in the linux world");
  if (scenario.machine.firmware.srat.kind === "bytes")
    throw new NotModelled("an SRAT of its own, in the linux world: QEMU makes it");
  if (scenario.platform !== "tdx")
    throw new NotModelled(`the platform ${scenario.platform} in the linux world`);
  if (scenario.machine.host !== null) throw new NotModelled("a TDX host in the linux world");
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
    ...(guest.memmapOnMemory ? ["memory_hotplug.memmap_on_memory=1"] : []),
  ].join(" ");
