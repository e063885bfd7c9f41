import * as z from "zod";
import type { TDH } from "../../abi/tdx/leaves.ts";
import { STATUS_CODES, type StatusName } from "../../abi/tdx/status-codes.ts";
import { HOST_FACTS, HOST_STATES, type HostDeed, type HostFact } from "../host-spec.ts";
import { KERNELS } from "../scenario.ts";
import { amount, blocks, count } from "./comparison-schema.ts";
import { line } from "./line-schema.ts";
import { expecting, expectingName, refuse } from "./refusal.ts";
import { address, flag, oneOf, oneOrMore, PAGE, size, text, whole } from "./scalar-schema.ts";

const node = whole("NUMA node, from 0", 0, 63).default(0);
const MIB = 2 ** 20;

const range = (about: string) =>
  z
    .strictObject({
      at: address("First address", PAGE),
      size: size("Bytes", { multipleOf: PAGE, least: PAGE }),
      node,
    })
    .meta({ description: about });

/** Leaves that the host makes while it brings TDX up. */
const LEAVES = [
  "TDH.SYS.INIT",
  "TDH.SYS.LP.INIT",
  "TDH.SYS.RD",
  "TDH.SYS.CONFIG",
  "TDH.SYS.KEY.CONFIG",
  "TDH.SYS.TDMR.INIT",
  "TDH.EXT.MEM.ADD",
  "TDH.EXT.INIT",
] as const satisfies readonly (keyof typeof TDH)[];
const STATUSES = Object.keys(STATUS_CODES) as StatusName[];

const refusedCall = z
  .strictObject({
    call: oneOf("Leaf that is refused", LEAVES),
    at: whole("Which call of it, from 1", 1, 2 ** 31),
    status: z
      .enum(STATUSES, { error: expectingName("a status such as OPERAND_BUSY", STATUSES) })
      .meta({ description: "What it answers" }),
  })
  .meta({ description: "A SEAMCALL that the module refuses" });

const extensions = z
  .strictObject({
    pages: whole("4 KiB pages that the module asks for", 0, 2 ** 24),
    from: oneOf("Where the host takes them from", ["contiguous", "scattered"]).default("contiguous"),
    flush: flag("The host flushes each page from the caches first").default(false),
    mustFlush: flag("The platform needs that flush").default(false),
    interruptEvery: whole("An interrupt comes after so many pages of a call; 0: never", 0, 2 ** 24).default(
      0,
    ),
  })
  .meta({ description: "TDX Module Extensions, asked for by an add-on feature" });

// YAML reads 7.3 as a number; both spellings mean the release.
const kernel = z
  .union([z.enum(KERNELS), z.literal(KERNELS.map(Number))], { error: expectingName("6.12 or 7.3", KERNELS) })
  .transform((release) => String(release) as (typeof KERNELS)[number])
  .meta({ description: "Linux release of the host" });

/** `machine.host`. What depends on more than one field is checked when the host is built. */
export const hostSchema = z
  .strictObject({
    kernel: kernel.default("7.3"),
    memory: z
      .array(range("RAM at boot"))
      .max(1000)
      .default([])
      .meta({ description: "RAM at boot, ascending" }),
    convertible: z.array(range("Convertible memory")).max(100).default([]).meta({
      description: "Convertible memory ranges; the RAM from 1 MiB on if there is none",
    }),
    log: text("Kernel log of a host, relative to the scenario: RAM and convertible ranges come from it", 1000)
      .nullable()
      .default(null),
    metadata: text(
      "Dump of the module's metadata, relative to the scenario: convertible ranges and limits",
      1000,
    )
      .nullable()
      .default(null),
    processors: whole("Logical processors, a multiple of `packages`", 1, 4096).default(4),
    packages: whole("Packages", 1, 32).default(2),
    blockSize: size("Memory block of the host, a power of two", { least: 128 * MIB })
      .default(128 * MIB)
      .refine((n) => Number.isInteger(Math.log2(n)), {
        error: expecting("a power of two such as 128M or 2G"),
      }),
    holes: oneOf("What is not a hole of a TDMR: the kernel's RAM, or what is convertible (proposed)", [
      "memory",
      "cmrs",
    ]).default("memory"),
    hotplugCheck: oneOf(
      "How added memory is kept out: block by block, as a range (proposed), or not at all (a mistake)",
      ["notifier", "range-check", "none"],
    ).default("notifier"),
    secureWindows: z.array(range("Memory that may come later")).max(16).default([]).meta({
      description: "Absent memory that a CXL security protocol vouches for at boot; no such platform exists",
    }),
    maxTdmrs: whole("MAX_TDMRS of the module", 1, 64).default(64),
    maxReserved: whole("MAX_RESERVED_PER_TDMR of the module", 1, 16).default(16),
    firstKeyId: whole("First private key id", 1, 2 ** 15).default(32),
    endKeyId: whole("Key id behind the last private one, a power of two", 2, 2 ** 15)
      .default(64)
      .refine((n) => Number.isInteger(Math.log2(n)), { error: expecting("a power of two such as 64") }),
    dynamicPamt: flag("Module and host have dynamic PAMT").default(false),
    readsEarly: flag("The module answers TDH.SYS.RD before it is ready; early ones do not").default(true),
    extensions: extensions.nullable().default(null),
    refused: z
      .array(refusedCall)
      .max(16)
      .default([])
      .meta({ description: "SEAMCALLs that the module refuses" }),
  })
  .meta({ description: "The TDX host: an actor of its own, which `host` steps move" });
export type HostDraft = z.output<typeof hostSchema>;

const deeds = z
  .strictObject({
    hotAdd: range("Memory that a driver such as kmem hands to Linux").optional(),
    online: z.strictObject({ block: blocks }).optional().meta({ description: "echo 1 > memoryN/online" }),
    privateMemory: size("Private memory that guest_memfd allocates for a TD", { least: PAGE }).optional(),
  })
  .meta({ minProperties: 1, maxProperties: 1 });

/** A `host` step: `enable`, or a map of one key. */
export const hostStep = z
  .union([z.literal("enable"), deeds], {
    error: expecting("enable, or one of hotAdd, online, privateMemory"),
  })
  .transform((value, context): HostDeed => {
    if (value === "enable") return { deed: "enable" };
    const given = Object.values(value).filter((one) => one !== undefined).length;
    const { hotAdd, online, privateMemory } = value;
    if (given !== 1) {
      refuse(context, value, "exactly one of `hotAdd`, `online` and `privateMemory`");
      return z.NEVER;
    }
    if (hotAdd !== undefined) return { deed: "hotAdd", ...hotAdd };
    if (online !== undefined) return { deed: "online", blocks: online.block };
    return { deed: "privateMemory", size: privateMemory ?? 0 };
  })
  .meta({ description: "What happens on the TDX host" });

const ABOUT: Readonly<Record<HostFact, string>> = {
  tdmrs: "TDMRs",
  reserved: "Reserved areas of the TDMR that has most",
  pamt: "Bytes of metadata",
  messages: "Lines that the last host step left in the host's log",
  refused: "Writes to /sys that the last host step saw refused",
  online: "Hot-added memory blocks that are online",
  offline: "Hot-added memory blocks that are offline",
  devdax: "Bytes that only device DAX hands out",
  convertible: "Bytes of the range added last that firmware calls convertible",
  private: "Bytes that TDs got from guest_memfd",
  shared: "Bytes that the VMM got for shared memory of its TD",
  free: "Bytes that the page allocator has",
  poolPages: "Pages that the host took for the extensions",
  poolGiven: "Pages that the module has of them",
  spoiledBlocks: "2 MiB blocks that the pool broke up",
  corrupted: "Private pages that unflushed lines destroyed",
  seamcalls: "SEAMCALLs that the host made",
};

const facts = Object.fromEntries(
  Object.entries(HOST_FACTS).map(([fact, unit]) => [
    fact,
    (unit === "bytes" ? amount : count)(ABOUT[fact as HostFact]).optional(),
  ]),
) as Record<HostFact, z.ZodOptional<ReturnType<typeof count>>>;

/** `expect.host`. */
export const hostExpect = z
  .strictObject({
    state: oneOf("Whether TDX is up", HOST_STATES).optional(),
    dmesg: oneOrMore(line("A line of the host's kernel log")).optional(),
    ...facts,
  })
  .meta({ description: "The TDX host" });
export type HostExpectDraft = z.output<typeof hostExpect>;
