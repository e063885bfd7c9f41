import * as z from "zod";
import { SNP_GUEST_CALL } from "../../abi/snp/call-numbers.ts";
import { TDG } from "../../abi/tdx/leaves.ts";
import { FATES, SEPT_STATES, USES } from "../expectation.ts";
import { COUNTER_NAMES, counterUnit } from "../kernel-counters.ts";
import { amount, amountOfChange, bitRuns, blocks, count, duration } from "./comparison-schema.ts";
import { hostExpect } from "./host-schema.ts";
import { line } from "./line-schema.ts";
import { expecting } from "./refusal.ts";
import { address, flag, id, invariant, oneOf, oneOrMore, size, text, UNIT, whole } from "./scalar-schema.ts";

const bit = (about: string) => z.literal([0, 1], { error: expecting("0 or 1") }).meta({ description: about });

const range = z
  .strictObject({
    at: address("First address"),
    size: size("Bytes; one 2 MiB unit if absent", { least: 1 }).default(UNIT),
    plugged: flag("The VMM promises this memory").optional(),
    accepted: flag("Hardware lets the guest use it").optional(),
    online: flag("Linux has it online").optional(),
    use: oneOf("What Linux does with it", USES).optional(),
    sept: oneOf("State of its secure-EPT entries", SEPT_STATES).optional(),
    unacceptedBit: bit("Its bit in the unaccepted bitmap").optional(),
    pluggedBit: bit("Its bit in the plugged bitmap").optional(),
  })
  .meta({ description: "What must hold for every byte of a range" });

const bitmap = z
  .strictObject({
    version: whole("Version of the unaccepted table", 0, 2 ** 31).optional(),
    physBase: address("Address of bit 0").optional(),
    unitSize: size("Bytes per bit").optional(),
    sizeBytes: size("Bytes of one bitmap").optional(),
    tableBytes: size("Bytes of the whole table").optional(),
    setBits: z
      .strictObject({
        unaccepted: bitRuns("Bits set in the unaccepted bitmap: '0-1023, 1026' or none").optional(),
        plugged: bitRuns("Bits set in the plugged bitmap").optional(),
      })
      .optional(),
  })
  .meta({ description: "The EFI unaccepted table" });

const blockFacts = z
  .strictObject({
    size: amount("Bytes of a memory block").optional(),
    online: count("Blocks online").optional(),
    offline: count("Blocks offline").optional(),
    states: z
      .array(z.strictObject({ block: blocks, state: oneOf("", ["online", "offline", "absent"]) }))
      .optional()
      .meta({ description: "States of memory blocks by number" }),
  })
  .meta({ description: "Memory blocks, as /sys/devices/system/memory shows them" });

const device = z
  .strictObject({
    id: id("Device as the scenario named it"),
    plugged: amount("Plugged size").optional(),
    requested: amount("Requested size").optional(),
    blockStates: z
      .record(z.string().regex(/^\d+$/, { error: expecting("a block number") }), text("State", 64))
      .optional()
      .meta({ description: "The driver's state of memory blocks, such as 48: OFFLINE_PARTIAL" }),
  })
  .meta({ description: "A virtio-mem device or a DIMM" });

const counters = Object.fromEntries(
  COUNTER_NAMES.map((name) => [
    name,
    amount(`${name}, in ${counterUnit(name)} unless K, M, G says bytes`).optional(),
  ]),
);

const counterName = z.enum(COUNTER_NAMES);

/** What the guest calls, as costs count it: TDCALL leaves, and what SEV-SNP has in their place. */
const LEAVES = [...Object.keys(TDG), ...Object.keys(SNP_GUEST_CALL)];

const fixed = {
  change: z
    .partialRecord(counterName, amountOfChange("How far the counter moved"))
    .optional()
    .meta({ description: "How far counters moved since before the last step that acted" }),
  range: oneOrMore(range).optional(),
  bitmap: z.union([z.literal("none"), bitmap], { error: expecting("none or a map") }).optional(),
  dmesg: oneOrMore(line("A line of the kernel log")).optional(),
  iomem: oneOrMore(line("A line of /proc/iomem")).optional(),
  tdcalls: z
    .partialRecord(z.enum(LEAVES), count("How often the leaf was called"))
    .optional()
    .meta({ description: "Counts of TDCALLs by leaf, such as TDG.MEM.PAGE.ACCEPT" }),
  exits: count("TD exits").optional(),
  virtualTime: duration("Virtual time since the start").optional(),
  longestIrqsOff: duration("Longest stretch of a vCPU with interrupts off").optional(),
  longestSpin: duration("Longest time that a vCPU spun for a lock or for memory in acceptance").optional(),
  blocks: blockFacts.optional(),
  device: oneOrMore(device).optional(),
  machine: oneOf("Whether the TD lives", FATES).optional(),
  status: text("Status of the step before, such as SUCCESS or -EBUSY", 100).optional(),
  host: hostExpect.optional(),
  broken: oneOrMore(invariant).optional().meta({ description: "Invariants that must be broken by now" }),
};

/** Counters stand beside the fixed names, so that editors and suggestions know every one of them. */
export const expectSchema = z
  .strictObject({ ...(counters as Record<string, ReturnType<typeof optionalAmount>>), ...fixed })
  .meta({ description: "What must hold" });

const optionalAmount = () => amount("").optional();

export const FIXED_EXPECTATIONS: readonly string[] = Object.keys(fixed);
export type FixedDraft = z.output<z.ZodObject<typeof fixed>>;
export type ExpectDraft = z.output<typeof expectSchema>;
