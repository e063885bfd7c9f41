import {
  UNACCEPTED_TABLE_HEADER,
  unacceptedTableBytes,
  unacceptedTableView,
} from "../../abi/efi/unaccepted-table.ts";
import type { StubOutcome } from "../../efi-stub/stub.ts";
import { UnacceptedTable } from "../../linux/unaccepted-table.ts";
import type { GuestRam } from "../guest-ram/guest-ram.ts";

/** The version that stock kernels take. */
const STOCK_VERSION = 1;

/**
 * The unaccepted-memory table of a guest whose kernel knows version 1 alone, and of a design that may have more.
 *
 * Of a design with plugged bits the kernel is shown what both bitmaps say together, unaccepted AND plugged; the two
 * are kept here. What the kernel accepted it has cleared in what it was shown.
 */
export class GuestTable extends UnacceptedTable {
  private readonly ram: GuestRam;

  private constructor(ram: GuestRam, at: number, table: Uint8Array) {
    const view = unacceptedTableView(table);
    super(at, view.version, view.physBase, view.unitSize, view.unaccepted, view.plugged);
    this.ram = ram;
  }

  /** The table that the stub left, if there is one; from now on the kernel sees version 1. */
  static of(ram: GuestRam, stub: StubOutcome): GuestTable | undefined {
    if (stub.table === undefined || stub.tablePointer === undefined) return undefined;
    const table = new GuestTable(ram, stub.tablePointer, Uint8Array.from(stub.table));
    const header = ram.read(table.address, UNACCEPTED_TABLE_HEADER.size);
    UNACCEPTED_TABLE_HEADER.put(header, "version", STOCK_VERSION);
    ram.write(table.address, header);
    table.show();
    return table;
  }

  /** Bytes of the whole table. */
  get bytes(): number {
    return unacceptedTableBytes(this.version, this.sizeBytes);
  }

  private get shownAt(): number {
    return this.address + UNACCEPTED_TABLE_HEADER.size;
  }

  /** Takes in what the kernel accepted since it was last shown the bits. */
  takeIn(): void {
    const shown = this.ram.read(this.shownAt, this.sizeBytes);
    const { unaccepted, plugged } = this;
    for (let i = 0; i < shown.length; i++) {
      // Without plugged bits what is shown is the bitmap itself.
      const visible = plugged === undefined ? 0xff : plugged[i]!;
      unaccepted[i] = (unaccepted[i]! & ~visible) | (shown[i]! & visible);
    }
  }

  /** Shows the kernel what the bitmaps say now. */
  show(): void {
    const { unaccepted, plugged } = this;
    const shown = plugged === undefined ? unaccepted : unaccepted.map((byte, i) => byte & plugged[i]!);
    this.ram.write(this.shownAt, shown);
  }
}
