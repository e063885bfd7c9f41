import * as z from "zod";
import { FIX_NAMES } from "../../linux/variant.ts";
import { ACCEPT_MODES, AUTO_ONLINE, KERNELS } from "../scenario.ts";
import { expecting, expectingName } from "./refusal.ts";
import { flag, oneOf, size, text, whole } from "./scalar-schema.ts";

// YAML reads 7.3 as a number; both spellings mean the release.
export const kernel = z
  .union([z.enum(KERNELS), z.literal(KERNELS.map(Number))], { error: expectingName("6.12 or 7.3", KERNELS) })
  .transform((release) => String(release) as (typeof KERNELS)[number])
  .meta({ description: "Linux release whose memory management the guest runs" });

export const revert = z
  .array(
    z.enum(FIX_NAMES, {
      error: expectingName("the number of a bug whose fix can be taken back", FIX_NAMES),
    }),
  )
  .meta({ description: "Fixes that the kernel is made to lack, by the numbers of docs/bugs.md" });

export const guestSchema = z
  .strictObject({
    kernel: kernel.default("7.3"),
    revert: revert.default([]),
    accept: oneOf("The accept_memory= parameter", ACCEPT_MODES).default("lazy"),
    design: text("Design that does the guest's part of hotplug; `none` is what Linux does", 64).default(
      "none",
    ),
    designOptions: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
      .default({})
      .meta({ description: "Options of the design" }),
    deferredInit: flag("CONFIG_DEFERRED_STRUCT_PAGE_INIT: most memory enters the allocator late").default(
      true,
    ),
    memmapOnMemory: flag("memory_hotplug.memmap_on_memory").default(false),
    autoOnline: oneOf("memhp_default_state=", AUTO_ONLINE).default("online"),
    reserveMem: z
      .strictObject({
        size: size("Bytes, which need not be whole pages", { least: 1 }),
        align: size("A power of two", { least: 64 })
          .refine((bytes) => Number.isInteger(Math.log2(bytes)), { error: expecting("a power of two") })
          .default(4096),
      })
      .nullable()
      .default(null)
      .meta({ description: "reserve_mem=: memory that the kernel reserves early and never uses itself" }),
  })
  .meta({ description: "The Linux guest" });

const augSize = size("Largest page the host adds to the secure EPT: 4K or 2M")
  .default(2 ** 21)
  .refine((bytes) => bytes === 4096 || bytes === 2 ** 21, { error: expecting("4K or 2M") });

export const vmmSchema = z
  .strictObject({
    augSize,
    aug: oneOf("When the host adds pages: on a fault, or ahead at plug", ["fault", "ahead"]).default("fault"),
    discard: oneOf("What unplug throws away; shared-only is what QEMU does so far", [
      "none",
      "shared-only",
      "both",
      "set-aside",
    ]).default("shared-only"),
    pageRelease: flag("The TD may give private pages back (TDG.MEM.PAGE.RELEASE)").default(true),
    start: oneOf("State of plugged memory before the guest converts it", ["private", "shared"]).default(
      "private",
    ),
    unpluggedAccess: oneOf("What happens when the guest touches memory that is not plugged", [
      "allocate",
      "kill",
      "spin",
    ]).default("allocate"),
    pscEntries: whole(
      "SEV-SNP: entries of a page state change that one call does at most; all if absent",
      1,
      253,
    )
      .nullable()
      .default(null),
    sharedMiss: oneOf("What a touch of shared memory that the VMM has not mapped does", [
      "exit",
      "ve",
    ]).default("exit"),
    moduleBusy: oneOf("What a VMM does whose module is busy a second time while private pages go", [
      "again",
      "bug",
    ]).default("again"),
    implicitConversion: flag("An access through the wrong kind of mapping converts the page").default(true),
  })
  .meta({ description: "Choices that specifications leave to the VMM" });
