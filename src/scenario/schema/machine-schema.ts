import * as z from "zod";
import { EFI_TYPES } from "../../abi/efi/memory-map-lines.ts";
import { EFI_ATTRIBUTES } from "./efi-attributes.ts";
import { hostSchema } from "./host-schema.ts";
import { expecting, expectingName, refuse } from "./refusal.ts";
import { address, id, oneOf, PAGE, size, text, UNIT, whole } from "./scalar-schema.ts";

const node = whole("NUMA node, from 0", 0, 63).default(0);

export const virtioMem = z
  .strictObject({
    id: id("Name of the device; `resize` and `expect` use it"),
    node,
    size: size("Size of the device's region", { multipleOf: UNIT, least: UNIT }),
    blockSize: size("Size of a device block, a power of two", { least: UNIT })
      .default(UNIT)
      .refine((n) => Number.isInteger(Math.log2(n)), {
        error: expecting("a power of two such as 2M or 128M"),
      }),
    requestedSize: size("How much the host asks the guest to use when it boots").default(0),
    memaddr: address("Start of the region; the VMM chooses it if absent", UNIT).nullable().default(null),
  })
  .meta({ description: "A virtio-mem device" });

export const dimm = z
  .strictObject({
    id: id("Name of the DIMM; `unplug` uses it"),
    size: size("Size of the DIMM", { multipleOf: UNIT, least: UNIT }),
    node,
    slot: whole("Slot; the lowest free one if absent", 0, 255).nullable().default(null),
    addr: address("Address; the first fit if absent", UNIT).nullable().default(null),
  })
  .meta({ description: "A DIMM (pc-dimm)" });

const range = z
  .strictObject({
    at: address("First address", PAGE),
    size: size("Bytes", { multipleOf: PAGE, least: PAGE }),
  })
  .transform(({ at, size: bytes }) => ({ start: at, end: at + bytes }));

const ramRange = z
  .strictObject({
    at: address("First address of this RAM", UNIT),
    size: size("Bytes of this RAM", { multipleOf: PAGE, least: PAGE }),
    node,
  })
  .transform(({ at, size: bytes, node: nodeNumber }) => ({ start: at, end: at + bytes, node: nodeNumber }));

type SratSource =
  | { readonly kind: "none" }
  | { readonly kind: "generated" }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "hex"; readonly hex: string };

const sratSources = z.strictObject({
  file: text("A SRAT as bytes, relative to the scenario file", 1000).optional(),
  hex: text("A SRAT as hexadecimal digits; spaces are ignored", 100_000).optional(),
  generated: z.literal(true).meta({ description: "As QEMU makes it" }).optional(),
});

const srat = z
  .union([z.literal("none"), z.literal("generated"), sratSources], {
    error: expecting("none, generated, or a map with `file` or `hex`"),
  })
  .transform((value, context): SratSource => {
    if (typeof value === "string") return value === "none" ? { kind: "none" } : { kind: "generated" };
    const { file, hex, generated } = value;
    const given = [file, hex, generated].filter((source) => source !== undefined).length;
    if (given !== 1) {
      refuse(context, value, "exactly one of `file`, `hex` and `generated`");
      return z.NEVER;
    }
    if (file !== undefined) return { kind: "file", file };
    if (hex !== undefined) return { kind: "hex", hex };
    return { kind: "generated" };
  })
  .meta({ description: "The SRAT the firmware hands over: made as QEMU makes it, from a file, or none" });

const efiEntry = z
  .strictObject({
    type: z
      .union([z.enum(EFI_TYPES), whole("EFI memory type", 0, EFI_TYPES.length - 1)], {
        error: expectingName("an EFI memory type such as Conventional, Unaccepted or 15", EFI_TYPES),
      })
      .transform((type) => (typeof type === "number" ? type : EFI_TYPES.indexOf(type)))
      .meta({ description: "EFI memory type, by name or number" }),
    at: address("First address", PAGE),
    size: size("Bytes", { multipleOf: PAGE, least: PAGE }),
    attributes: z
      .array(z.enum(EFI_ATTRIBUTES))
      .default(["WB"])
      .meta({ description: "Attribute bits by name" }),
  })
  .transform(({ type, at, size: bytes, attributes }) => ({ type, start: at, end: at + bytes, attributes }));

const unaccepted = z
  .union([oneOf("", ["none", "above-4g", "all"]), z.array(range)], {
    error: expectingName("none, above-4g, all, or a list of ranges", ["none", "above-4g", "all"]),
  })
  .meta({ description: "RAM that the firmware leaves unaccepted" });

const firmware = z
  .strictObject({
    srat: srat.prefault("generated"),
    unaccepted: unaccepted.default("above-4g"),
    efiMemoryMap: z.array(efiEntry).max(1000).default([]).meta({
      description: "Descriptors put over the firmware's own memory map",
    }),
    poolAddress: address("Where the first EFI pool starts; the others follow", 8).nullable().default(null),
  })
  .meta({ description: "What the firmware tells the guest" });

const layout = z
  .union([z.literal("q35"), z.array(ramRange).min(1)], { error: expecting("q35 or a list of ranges of RAM") })
  .meta({ description: "Where RAM lies: as on QEMU's q35, or ranges whose sizes add up to `memory`" });

export const machineSchema = z
  .strictObject({
    memory: size("RAM at boot", { multipleOf: UNIT, least: 64 * 2 ** 20 }),
    vcpus: whole("Virtual CPUs", 1, 512).default(2),
    nodes: whole("NUMA nodes", 1, 64).default(1),
    layout: layout.default("q35"),
    slots: whole("DIMM slots; as many as the scenario uses if absent", 0, 256).optional(),
    maxmem: size("Limit of all memory; just enough for what the scenario plugs if absent", {
      multipleOf: UNIT,
    }).optional(),
    virtioMem: z.array(virtioMem).max(64).default([]).meta({ description: "virtio-mem devices" }),
    dimms: z.array(dimm).max(256).default([]).meta({ description: "DIMMs present when the machine starts" }),
    firmware: firmware.prefault({}),
    host: hostSchema.nullable().default(null),
  })
  .meta({ description: "The virtual machine" });
