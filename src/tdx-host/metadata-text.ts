import { MD_FIELD_ID } from "../abi/tdx/metadata-field-id.ts";
import { SYS_FIELDS, type SysField } from "../abi/tdx/sys-fields.ts";
import { MAX_CMRS } from "../abi/tdx/tdmr-info.ts";
import { SYS_TABLE } from "../tdx-module/sys-metadata.ts";
import { checkCmrs, type ReadRange } from "./check-ranges.ts";
import { HostInputError } from "./host-input-error.ts";

/** What a dump of the module's metadata tells. */
export interface MetadataDump {
  readonly cmrs: readonly ReadRange[];
  readonly maxTdmrs: number;
  readonly maxReserved: number;
  readonly packages: number;
  /** 0 if the dump does not say. */
  readonly extensionPages: number;
}

interface Value {
  readonly value: bigint;
  readonly where: string;
}

const LINE = /^\s*0x([0-9a-f]{1,16})\s*[:= ]\s*0x([0-9a-f]{1,16})\s*$/i;

/**
 * Reads a dump of platform-scope metadata: on each line the identifier that TDH.SYS.RD takes and the value that it answered, both
 * hexadecimal, such as `0x9000000100000000: 0x5`. Empty lines and those that begin with # are passed over.
 *
 * @param name of the file, for messages
 * @throws HostInputError for the first line that is none, names no field, has a value that does not fit the field or that an
 *   earlier line contradicts; then for limits of zero and for a list of convertible memory that contradicts itself or its count
 */
export const readMetadataDump = (text: string, name: string): MetadataDump => {
  const values = new Map<string, Value>();
  text.split("\n").forEach((line, index) => {
    if (line.trim() !== "" && !line.trim().startsWith("#")) readLine(line, `${name}:${index + 1}`, values);
  });
  const one = (field: SysField, least: bigint, fallback: bigint): number => {
    const found = values.get(key(field, 0));
    if (found === undefined) return Number(fallback);
    if (found.value < least)
      throw new HostInputError(found.where, field, `at least ${least}`, `${found.value}`);
    return Number(found.value);
  };
  for (const field of ["PAMT_4K_ENTRY_SIZE", "PAMT_2M_ENTRY_SIZE", "PAMT_1G_ENTRY_SIZE"] as const)
    one(field, 1n, 16n);
  const limits = {
    maxTdmrs: one("MAX_TDMRS", 1n, 64n),
    maxReserved: one("MAX_RESERVED_PER_TDMR", 1n, 16n),
    packages: one("NUM_PKGS", 1n, 1n),
    extensionPages: one("MEMORY_POOL_REQUIRED_PAGES", 0n, 0n),
  };
  return { cmrs: cmrsOf(values, name), ...limits };
};

const key = (field: SysField, element: number): string => `${field} ${element}`;

const readLine = (line: string, where: string, values: Map<string, Value>): void => {
  const match = LINE.exec(line);
  if (match === null) {
    throw new HostInputError(
      where,
      "line",
      "an identifier and a value such as 0x9000000100000000: 0x5",
      line.trim(),
    );
  }
  const id = BigInt(`0x${match[1]}`);
  const value = BigInt(`0x${match[2]}`);
  const element = SYS_TABLE.find(id);
  if (element === undefined)
    throw new HostInputError(where, "identifier", "a field of the module", `0x${match[1]}`);
  const what =
    SYS_FIELDS[element.name].id === element.id ? element.name : `${element.name}[${element.element}]`;
  if (value >= 1n << BigInt(element.bits)) {
    throw new HostInputError(where, what, `a value of ${element.bits} bits`, `0x${match[2]}`);
  }
  const size = MD_FIELD_ID.decode(id).elementSize;
  if (8 << Number(size) !== element.bits) {
    throw new HostInputError(
      where,
      what,
      `an identifier for ${element.bits} bits`,
      `one for ${8 << Number(size)}`,
    );
  }
  const before = values.get(key(element.name, element.element));
  if (before !== undefined && before.value !== value) {
    throw new HostInputError(
      where,
      what,
      `0x${before.value.toString(16)} as in ${before.where}`,
      `0x${match[2]}`,
    );
  }
  values.set(key(element.name, element.element), { value, where });
};

const cmrsOf = (values: ReadonlyMap<string, Value>, name: string): ReadRange[] => {
  const count = values.get(key("NUM_CMRS", 0));
  const cmrs: ReadRange[] = [];
  for (let i = 0; i < MAX_CMRS; i++) {
    const cmr = cmrAt(values, i, count);
    if (cmr !== undefined) cmrs.push(cmr);
  }
  if (count !== undefined && count.value > BigInt(MAX_CMRS)) {
    throw new HostInputError(count.where, "NUM_CMRS", `at most ${MAX_CMRS}`, `${count.value}`);
  }
  if (cmrs.length === 0) throw new HostInputError(name, "convertible memory", "at least one range", "none");
  checkCmrs(cmrs);
  return cmrs;
};

/** Range number `i`, or undefined where the list has none. */
const cmrAt = (
  values: ReadonlyMap<string, Value>,
  i: number,
  count: Value | undefined,
): ReadRange | undefined => {
  const base = values.get(key("CMR_BASE", i));
  const size = values.get(key("CMR_SIZE", i));
  const what = `CMR_SIZE[${i}]`;
  const isCounted = count !== undefined && BigInt(i) < count.value;
  if (size === undefined || size.value === 0n) {
    if (!isCounted) return undefined;
    const found = size === undefined ? "no line" : "0";
    throw new HostInputError((size ?? count).where, what, "more than 0", found);
  }
  if (base === undefined) {
    throw new HostInputError(size.where, `CMR_BASE[${i}]`, "a line beside CMR_SIZE", "none");
  }
  if (count !== undefined && !isCounted) {
    const found = `0x${size.value.toString(16)}`;
    throw new HostInputError(size.where, what, `0, as NUM_CMRS is ${count.value}`, found);
  }
  const end = base.value + size.value;
  if (end > 1n << 52n) {
    throw new HostInputError(size.where, what, "an end within 52 bits", `0x${end.toString(16)}`);
  }
  return { start: Number(base.value), end: Number(end), where: size.where };
};
