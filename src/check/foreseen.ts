import type { FingerprintTable } from "./fingerprint-table.ts";
import type { System } from "./system.ts";

/** What the choices of a state come to, as far as it is known before they are taken. */
export class Foreseen {
  /** By choice: see System.foresee. */
  readonly results: Int8Array;
  private readonly firsts: Uint32Array;
  private readonly seconds: Uint32Array;
  private readonly table: FingerprintTable;

  /** @param most choices that a state has */
  constructor(table: FingerprintTable, most: number) {
    this.table = table;
    this.results = new Int8Array(most);
    this.firsts = new Uint32Array(most);
    this.seconds = new Uint32Array(most);
  }

  /** Asks about all choices of the system's state. Where their states belong in the table is read at once, so that this waits for memory once. */
  ask(system: System, count: number): void {
    const { table, results, firsts, seconds } = this;
    table.fingerprinter.foresee(system, count, results, firsts, seconds);
    table.touch(firsts, count);
  }

  /** Puts the state after a choice into the table. @returns whether it was not there before */
  put(choice: number, level: number): boolean {
    return this.table.put(this.firsts[choice]!, this.seconds[choice]!, level);
  }
}
