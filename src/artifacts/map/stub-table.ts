import { EFI_UNACCEPTED_UNIT_SIZE, unacceptedTableBytes } from "../../abi/efi/unaccepted-table.ts";
import type { Range } from "../facts.ts";
import { roundDown, roundUp } from "./ranges.ts";
import { isUnaccepted, type Survey } from "./survey.ts";

/** Bytes that a bit stands for on x86. */
export const X86_UNIT = EFI_UNACCEPTED_UNIT_SIZE;
const BITS = 8;

/** A table by its window, as a stub would make it. */
export interface PredictedTable extends Range {
  /** Bytes of one bitmap. */
  readonly size: number;
  /** Bytes of the whole table. */
  readonly bytes: number;
}

/**
 * The table for these ranges; undefined without any.
 *
 * @source Linux drivers/firmware/efi/libstub/unaccepted_memory.c (allocate_unaccepted_bitmap)
 */
export const predictTable = (version: 1 | 2, ranges: readonly Range[]): PredictedTable | undefined => {
  if (ranges.length === 0) return undefined;
  const low = Math.min(...ranges.map(({ start }) => start));
  const high = Math.max(...ranges.map(({ end }) => end));
  const start = roundDown(low, X86_UNIT);
  const size = Math.ceil((roundUp(high, X86_UNIT) - start) / (X86_UNIT * BITS));
  return { start, end: start + size * BITS * X86_UNIT, size, bytes: unacceptedTableBytes(version, size) };
};

/** What upstream's stub and that of RFC v2 would make of the firmware's tables. */
export const stubTables = ({
  of,
}: Survey): readonly { readonly version: 1 | 2; readonly table: PredictedTable | undefined }[] => {
  const unaccepted = of("efi").filter(isUnaccepted);
  const hotplug = of("srat-memory").filter((fact) => fact.enabled && fact.hotplug);
  return [
    { version: 1, table: predictTable(1, unaccepted) },
    { version: 2, table: predictTable(2, [...unaccepted, ...hotplug]) },
  ];
};
