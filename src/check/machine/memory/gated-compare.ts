import { assert } from "../../../assert.ts";
import type { Gates } from "./gates.ts";
import type { Mirror } from "./mirror.ts";

/** Finds the lines in which a machine differs from its origin, and compares only what may have changed. */
export class GatedCompare {
  private readonly origin: Mirror;
  /** By line, see Gates. */
  private readonly opens: Uint16Array;
  private readonly tellers: Gates["tellers"];
  /** By teller: what it told at the origin. */
  private readonly told: Float64Array;
  /** Groups that are compared beside group 0: the first `count` of the list, ascending, and 1 at each of them. */
  private readonly list: Uint16Array;
  private readonly isOpen: Uint8Array;
  private count = 0;
  /** Whether the machine moved since it was at the origin. */
  private left = false;
  /** Whether memory was written in lines that nothing told of. */
  private leapt = false;

  constructor(origin: Mirror, { groups, opens, tellers }: Gates) {
    const most = [...groups, ...opens, ...tellers.map(({ group }) => group)].reduce(
      (a, b) => Math.max(a, b),
      0,
    );
    this.origin = origin;
    this.opens = Uint16Array.from(opens);
    this.tellers = tellers;
    this.told = new Float64Array(tellers.length);
    this.list = new Uint16Array(most + 1);
    // What is always compared, and what has no lines, need not be opened.
    this.isOpen = new Uint8Array(most + 1).fill(1);
    for (const group of groups) if (group > 0) this.isOpen[group] = 0;
  }

  /** The machine is about to move. @param group is told to change; 0: none in particular */
  moves(group: number): void {
    if (!this.left) this.leave();
    if (group < this.isOpen.length) this.open(group);
  }

  /** The machine was made another state: any group may have changed. */
  leaps(): void {
    this.leapt = true;
  }

  private leave(): void {
    const { tellers, told } = this;
    this.left = true;
    for (let teller = 0; teller < tellers.length; teller++) told[teller] = tellers[teller]!.version();
  }

  /** The machine is at the origin. */
  close(): void {
    const { list, isOpen } = this;
    for (let at = 0; at < this.count; at++) isOpen[list[at]!] = 0;
    this.count = 0;
    this.left = false;
    this.leapt = false;
  }

  private open(group: number): void {
    if (this.isOpen[group] === 1) return;
    const { list } = this;
    this.isOpen[group] = 1;
    // In the order of their numbers, so that the same changes are listed in the same order, whoever moved first.
    let at = this.count++;
    for (; at > 0 && list[at - 1]! > group; at--) list[at] = list[at - 1]!;
    list[at] = group;
  }

  /** Leaves the lines that differ in the origin's list. */
  compare(): void {
    const { origin, opens, tellers, told, list } = this;
    if (this.leapt) {
      origin.compare();
      return;
    }
    origin.compareGroups(0, 1);
    if (!this.left) return;
    for (let at = 0; at < origin.count; at++) this.open(opens[origin.differing[at]!]!);
    for (let teller = 0; teller < tellers.length; teller++) {
      const { group, version } = tellers[teller]!;
      if (version() !== told[teller]) this.open(group);
    }
    for (let at = 0; at < this.count; at++) origin.compareToo(list[at]!, list[at]! + 1);
  }

  /** Compares all lines. Asserts that none differs that was passed over. */
  verify(): void {
    this.compare();
    const { origin } = this;
    const { count } = origin;
    assert(origin.compare() === count, "what changes in memory that is not always compared is told of");
  }
}
