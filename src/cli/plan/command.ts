import { type Command, Option } from "commander";
import type { System } from "../system.ts";
import type { PlanCommandOptions } from "./plan.ts";

const HELP = `
Sizes are bytes, or text with K, M, G, T or P. Times are virtual: those of a run of the machine in the model world, or, for
a machine too large to run, what follows from runs of two smaller ones. Exit status is 1 if a limit does not hold.

Examples:
  tidemark plan --memory 64G --hotplug 4T --vcpus 32 --design bitmaps
  tidemark plan --memory 8G --hotplug 8G --device dimm --dimms 4 --vmm libvirt
  tidemark plan --memory 64G --hotplug 1T --json | jq .boot.lazy.ns
  tidemark plan --memory 64G --hotplug 64G --platform snp --design tide --vmm libvirt
  tidemark plan --memory 4G --hotplug 8G --design tide --scenario machine.yaml && tidemark run machine.yaml
`;

/** Adds `tidemark plan`. */
export const addPlan = (tidemark: Command, system: System, finish: (status: number) => void): void => {
  tidemark
    .command("plan")
    .description("say what a machine needs, takes and is bounded by before it exists")
    .option("--memory <size>", "RAM at boot")
    .option("--hotplug <size>", "memory that may come while it runs", "0")
    .option("--vcpus <n>", "virtual CPUs", "2")
    .option("--nodes <n>", "NUMA nodes", "1")
    .option("--platform <name>", "who keeps its memory private: tdx or snp", "tdx")
    .option("--design <name>", "design that does the guest's part of hotplug", "none")
    .option("--accept <mode>", "accept_memory= of the guest, for plug and unplug: lazy or eager", "lazy")
    .option("--device <kind>", "how memory comes: virtio-mem or dimm", "virtio-mem")
    .option("--block-size <size>", "block of the virtio-mem device", "2M")
    .option("--dimms <n>", "DIMMs that the memory comes in", "1")
    .option("--discard <what>", "what unplug throws away: none, shared-only, both", "shared-only")
    .option("--unaccepted <which>", "RAM that firmware leaves unaccepted: above-4g or all", "above-4g")
    .option("--extension-pages <n>", "pages that the TDX module's extensions ask for; 12800 if absent")
    .option("--vmm <name>", "print the snippet for qemu, libvirt or kubevirt only; all of them if absent")
    .addOption(
      new Option("--json", "print one JSON document (docs/schema/plan-report.schema.json)").conflicts("vmm"),
    )
    .option("--scenario <file>", "write the scenario of that machine, for tidemark run")
    .addHelpText("after", HELP)
    .action(async (options: PlanCommandOptions) => {
      const { plan } = await import("./plan.ts");
      finish(await plan(options, system));
    });
};
