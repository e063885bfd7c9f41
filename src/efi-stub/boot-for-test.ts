import { sratTable } from "../abi/acpi/srat.ts";
import { sratMemory } from "../abi/acpi/srat-subtables.ts";
import { e820Entries } from "../abi/boot-params/e820.ts";
import { unacceptedTableView } from "../abi/efi/unaccepted-table.ts";
import { setRuns } from "../flat/bitmap.ts";
import { GIB, MIB } from "../units.ts";
import type { BootServices } from "./boot-services.ts";
import { recordAccepts } from "./early-accept.ts";
import { type Firmware, type FirmwareOptions, firmware } from "./firmware.ts";
import type { FirmwareRange } from "./firmware-memory.ts";
import { type GuestBytes, sparseGuestBytes } from "./guest-bytes.ts";
import { runStub, type StubOptions } from "./stub.ts";

/** Bytes that a bit of the bitmap stands for. */
export const UNIT = 2 * MIB;
/** Memory below 4 GiB, which firmware allocates from. */
export const LOW: FirmwareRange = { start: 16 * MIB, end: 1984 * MIB, type: "CONVENTIONAL" };
/** A range of unaccepted memory. */
export const unaccepted = (start: number, end: number): FirmwareRange => ({ start, end, type: "UNACCEPTED" });
/** What the machine boots with unless a test says otherwise. */
export const STATIC = unaccepted(4 * GIB, 6 * GIB);

/** What a test changes of a machine. */
export interface Boot {
  readonly map?: readonly FirmwareRange[];
  readonly firmware?: Partial<FirmwareOptions>;
  readonly options?: Partial<StubOptions>;
  /** What happens between the building of the hand-over and the start of the stub. */
  readonly prepare?: (machine: Firmware, memory: GuestBytes) => void;
  /** Replaces boot services. */
  readonly services?: (services: BootServices) => Partial<BootServices>;
}

/** A test's machine: boots one with 2 GiB of low memory through firmware and stub. */
export const boot = ({ map = [STATIC], firmware: more = {}, options = {}, prepare, services }: Boot = {}) => {
  const memory = sparseGuestBytes();
  const ranges = [LOW, ...map].sort((a, b) => a.start - b.start);
  const machine = firmware({ memory, map: ranges, ...more });
  prepare?.(machine, memory);
  const calls = recordAccepts();
  const world = {
    memory,
    services: { ...machine.services, ...services?.(machine.services) },
    systemTable: machine.systemTable,
    bootParams: machine.bootParams,
    accept: calls.accept,
  };
  const outcome = runStub(world, { platform: "tdx", tableVersion: 1, ...options });
  const bootParams = memory.bytes(machine.bootParams, 4096)!;
  const view = outcome.table && unacceptedTableView(outcome.table);
  return {
    ...outcome,
    machine,
    memory,
    world,
    bootParams,
    view,
    runs: view
      ? [...setRuns(view.unaccepted, view.units)].map(({ start, end }) => [start, end - 1])
      : undefined,
    calls: outcome.accepts.map(({ start, end }) => [start, end]),
    handedOver: () => e820Entries(bootParams, (at, length) => memory.bytes(at, length)),
  };
};

/** An SRAT of enabled, hot-pluggable ranges: base and length in bytes. */
export const srat = (...ranges: readonly (readonly [base: number, length: number])[]): Uint8Array =>
  sratTable(ranges.map(([base, length]) => sratMemory(0, BigInt(base), BigInt(length), 3)));
