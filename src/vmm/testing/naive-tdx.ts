import { TDH } from "../../abi/tdx/leaves.ts";
import { getNumber, R8, RAX, RCX, RDX, type Regs, setNumber } from "../../abi/tdx/regs.ts";
import { type Details, type Status, type StatusName, status, statusToRegs } from "../../abi/tdx/status.ts";

export type PageState = "PENDING" | "MAPPED";
interface Leaf {
  state: PageState;
  blocked: boolean;
  frame: number;
}

const REPORTED = { PENDING: 2, MAPPED: 4 } as const;
const SPAN = [1, 512, 512 ** 2, 512 ** 3, 512 ** 4] as const;

/**
 * A TDX module written the slow way, over maps keyed by guest frame, for the tests of the VMM: secure EPT, the
 * order BLOCK, TRACK, REMOVE, and host frames that are used once. A guest accepts with `accept`.
 */
export class NaiveTdx {
  /** Leaves and tables by level and first frame. */
  readonly leaves = [new Map<number, Leaf>(), new Map<number, Leaf>()] as const;
  readonly tables = new Set<string>();
  readonly used = new Map<number, number>();
  readonly calls: string[] = [];
  /** Statuses that the next calls of a leaf answer instead. */
  readonly planned: [leaf: number, name: StatusName][] = [];
  pageRelease = false;
  tracked = true;

  readonly seamcall = (regs: Regs): Status => {
    const leaf = getNumber(regs, RAX);
    const plan = this.planned.findIndex(([planned]) => planned === leaf);
    const result = plan < 0 ? this.execute(leaf, regs) : status(this.planned.splice(plan, 1)[0]![1]);
    statusToRegs(result, regs);
    return result;
  };

  private execute(leaf: number, regs: Regs): Status {
    const info = getNumber(regs, RCX);
    const level = info % 8;
    const frame = (info - level) / 4096;
    const host = getNumber(regs, R8) / 4096;
    const name = Object.entries(TDH).find(([, number]) => number === leaf)?.[0] ?? "?";
    this.calls.push(`${name.slice(4)} ${frame}${level > 0 ? `/${level}` : ""}`);
    switch (leaf) {
      case TDH["TDH.MEM.SEPT.ADD"]:
        return this.addTable(regs, frame, level, host);
      case TDH["TDH.MEM.PAGE.AUG"]:
        return this.aug(regs, frame, level, host);
      case TDH["TDH.MEM.RANGE.BLOCK"]:
        return this.block(regs, frame, level);
      case TDH["TDH.MEM.TRACK"]:
        this.tracked = true;
        return status("SUCCESS");
      case TDH["TDH.MEM.PAGE.REMOVE"]:
        return this.remove(regs, frame, level);
      case TDH["TDH.MEM.PAGE.DEMOTE"]:
        return this.demote(regs, frame, host);
      case TDH["TDH.PHYMEM.PAGE.WBINVD"]:
        return this.used.has(frame) ? status("PAGE_METADATA_INCORRECT", "RCX") : status("SUCCESS");
      default:
        throw new Error(`leaf ${leaf} is not for this test`);
    }
  }

  private hasTable(level: number, frame: number): boolean {
    return this.tables.has(`${level}:${Math.floor(frame / SPAN[level]!)}`);
  }

  /** Level at which a walk towards `level` ends, and the state number there. */
  private walk(frame: number, level: number): [level: number, state: number] {
    for (let at = 3; at > level; at--) {
      const leaf = at === 1 ? this.leaves[1].get(frame - (frame % 512)) : undefined;
      if (leaf) return [1, REPORTED[leaf.state]];
      if (!this.hasTable(at, frame)) return [at, 0];
    }
    if (level > 0 && this.hasTable(level, frame)) return [level, 132];
    const leaf = this.leaves[level as 0 | 1]?.get(frame);
    return [level, leaf ? REPORTED[leaf.state] : 0];
  }

  private refuse(
    regs: Regs,
    name: StatusName,
    [level, state]: readonly [number, number],
    details: Details,
  ): Status {
    setNumber(regs, RDX, level | (state << 8));
    return status(name, details);
  }

  private addTable(regs: Regs, frame: number, level: number, host: number): Status {
    const end = this.walk(frame, level);
    if (end[0] !== level) return this.refuse(regs, "EPT_WALK_FAILED", end, "RCX");
    if (end[1] !== 0) return this.refuse(regs, "EPT_ENTRY_STATE_INCORRECT", end, "RCX");
    if (this.used.has(host)) return status("PAGE_METADATA_INCORRECT", "R8");
    this.tables.add(`${level}:${Math.floor(frame / SPAN[level]!)}`);
    this.used.set(host, -1);
    return status("SUCCESS");
  }

  private aug(regs: Regs, frame: number, level: number, host: number): Status {
    const end = this.walk(frame, level);
    if (end[0] !== level) return this.refuse(regs, "EPT_WALK_FAILED", end, "RCX");
    if (end[1] !== 0) return this.refuse(regs, "EPT_ENTRY_STATE_INCORRECT", end, "RCX");
    for (let i = 0; i < SPAN[level]!; i++) {
      if (host % SPAN[level]! !== 0 || this.used.has(host + i))
        return status("PAGE_METADATA_INCORRECT", "R8");
    }
    for (let i = 0; i < SPAN[level]!; i++) this.used.set(host + i, frame + i);
    this.leaves[level as 0 | 1].set(frame, { state: "PENDING", blocked: false, frame: host });
    return status("SUCCESS");
  }

  private block(regs: Regs, frame: number, level: number): Status {
    const leaf = this.leaves[level as 0 | 1].get(frame);
    if (!leaf) return this.refuse(regs, "EPT_WALK_FAILED", this.walk(frame, level), "RCX");
    if (leaf.blocked) return status("GPA_RANGE_ALREADY_BLOCKED", "RCX");
    if (this.pageRelease && leaf.state === "MAPPED") {
      return this.refuse(regs, "EPT_ENTRY_STATE_INCORRECT", [level, 4], "RCX");
    }
    leaf.blocked = true;
    this.tracked = false;
    return status("SUCCESS");
  }

  private remove(regs: Regs, frame: number, level: number): Status {
    const leaf = this.leaves[level as 0 | 1].get(frame);
    if (!leaf) return this.refuse(regs, "EPT_WALK_FAILED", this.walk(frame, level), "RCX");
    if (!leaf.blocked) return status("GPA_RANGE_NOT_BLOCKED", "RCX");
    if (!this.tracked) return status("TLB_TRACKING_NOT_DONE", "RCX");
    this.leaves[level as 0 | 1].delete(frame);
    for (let i = 0; i < SPAN[level]!; i++) this.used.delete(leaf.frame + i);
    return status("SUCCESS");
  }

  private demote(regs: Regs, frame: number, host: number): Status {
    const leaf = this.leaves[1].get(frame);
    if (!leaf) return this.refuse(regs, "EPT_WALK_FAILED", this.walk(frame, 1), "RCX");
    if (!leaf.blocked) return status("GPA_RANGE_NOT_BLOCKED", "RCX");
    if (!this.tracked) return status("TLB_TRACKING_NOT_DONE", "RCX");
    this.leaves[1].delete(frame);
    for (let i = 0; i < 512; i++) {
      this.leaves[0].set(frame + i, { state: leaf.state, blocked: false, frame: leaf.frame + i });
    }
    this.tables.add(`1:${frame / 512}`);
    this.used.set(host, -1);
    return status("SUCCESS");
  }

  /** State of the page that holds a frame, or "FREE". */
  stateAt(frame: number): PageState | "FREE" {
    return this.leafAt(frame)?.state ?? "FREE";
  }

  /** The guest accepts every page of [from, to) that is mapped. */
  accept(from: number, to: number): void {
    for (let frame = from; frame < to; frame++) {
      const leaf = this.leafAt(frame);
      if (leaf) leaf.state = "MAPPED";
    }
  }

  private leafAt(frame: number): Leaf | undefined {
    return this.leaves[0].get(frame) ?? this.leaves[1].get(frame - (frame % 512));
  }
}
