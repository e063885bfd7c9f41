import { TDH } from "../abi/tdx/leaves.ts";
import { lo, newRegs, R8, R12, R13, RAX, RCX, RDX, type Regs } from "../abi/tdx/regs.ts";
import { type Status, status, withoutDetails } from "../abi/tdx/status.ts";
import { SEAMCALL_EVENT, type VmmSink } from "./events.ts";

const AUG = TDH["TDH.MEM.PAGE.AUG"];
const ADD_TABLE = TDH["TDH.MEM.SEPT.ADD"];
const BLOCK = TDH["TDH.MEM.RANGE.BLOCK"];
const DEMOTE = TDH["TDH.MEM.PAGE.DEMOTE"];
const ENTER = TDH["TDH.VP.ENTER"];
const REMOVE = TDH["TDH.MEM.PAGE.REMOVE"];
const TRACK = TDH["TDH.MEM.TRACK"];
const WBINVD = TDH["TDH.PHYMEM.PAGE.WBINVD"];

const OPERAND_BUSY = status("OPERAND_BUSY");
const HOST_PRIORITY = status("OPERAND_BUSY_HOST_PRIORITY");

/** Whether somebody held a lock that the call needed; the same call may succeed later. */
export const isBusy = (result: Status): boolean => {
  const kind = withoutDetails(result);
  return kind === OPERAND_BUSY || kind === HOST_PRIORITY;
};

/** Executes SEAMCALL with a register set, which takes the results. */
export type SeamcallPort = (regs: Regs) => Status;

/**
 * The memory SEAMCALLs as the VMM makes them: registers in, status out, one event each. Frames are 4 KiB
 * frames of the guest or the host. Register contents are those of the last call until the next.
 */
export class Seam {
  readonly regs: Regs = newRegs();
  /** Host frame of the TD's root page, TDR. */
  tdrFrame = 0;
  /** Key id bits that TDH.PHYMEM.PAGE.WBINVD wants above the address, as a number of frames. */
  keyFrames = 0;
  private readonly port: SeamcallPort;
  private readonly sink: VmmSink | undefined;

  constructor(port: SeamcallPort, sink: VmmSink | undefined) {
    this.port = port;
    this.sink = sink;
  }

  /** TDH.MEM.PAGE.AUG: maps host frame `hostFrame` at `frame` as PENDING. */
  aug(frame: number, level: number, hostFrame: number): Status {
    this.setFrame(R8, hostFrame);
    return this.memory(AUG, frame, level);
  }

  /** TDH.MEM.SEPT.ADD: hangs a table below the entry of `level` that covers `frame`. */
  addTable(frame: number, level: number, hostFrame: number): Status {
    this.setFrame(R8, hostFrame);
    return this.memory(ADD_TABLE, frame - (frame % 512 ** level), level);
  }

  block(frame: number, level: number): Status {
    return this.memory(BLOCK, frame, level);
  }

  remove(frame: number, level: number): Status {
    return this.memory(REMOVE, frame, level);
  }

  /**
   * TDH.MEM.PAGE.DEMOTE of the 2 MiB page at `frame`, into the table that `hostFrame` will hold.
   *
   * @param pair frames for the metadata of its 4 KiB pages, where PAMT is dynamic
   */
  demote(frame: number, hostFrame: number, pair: readonly [number, number] = [0, 0]): Status {
    this.setFrame(R8, hostFrame);
    this.setFrame(R12, pair[0]);
    this.setFrame(R13, pair[1]);
    return this.memory(DEMOTE, frame, 1);
  }

  track(): Status {
    this.setLeaf(TRACK);
    this.setFrame(RCX, this.tdrFrame);
    return this.call(TRACK, 0, 0);
  }

  /** TDH.PHYMEM.PAGE.WBINVD: writes the cache lines of a free host frame back. */
  wbinvd(hostFrame: number): Status {
    this.setLeaf(WBINVD);
    this.setFrame(RCX, hostFrame + this.keyFrames);
    return this.call(WBINVD, 0, 0);
  }

  /** TDH.VP.ENTER of the vCPU whose root page, TDVPR, is host frame `tdvprFrame`. */
  enter(tdvprFrame: number): Status {
    this.setLeaf(ENTER);
    this.setFrame(RCX, tdvprFrame);
    return this.call(ENTER, 0, 0);
  }

  /** Level at which the walk of the last refused call ended. */
  get endLevel(): number {
    return lo(this.regs, RDX) & 7;
  }

  /** State number of the entry where it ended, as SEAMCALLs report it. */
  get endState(): number {
    return (lo(this.regs, RDX) >>> 8) & 0xff;
  }

  private memory(leaf: number, frame: number, level: number): Status {
    this.setLeaf(leaf);
    this.setFrame(RDX, this.tdrFrame);
    this.setFrame(RCX, frame);
    this.regs[2 * RCX]! += level;
    return this.call(leaf, frame, level);
  }

  private call(leaf: number, frame: number, level: number): Status {
    const result = this.port(this.regs);
    this.sink?.emit(SEAMCALL_EVENT, leaf, frame * 4096, level, result, 0);
    return result;
  }

  private setLeaf(leaf: number): void {
    this.regs[2 * RAX] = leaf;
    this.regs[2 * RAX + 1] = 0;
  }

  /** Writes the address of a 4 KiB frame below 2^40. */
  private setFrame(register: number, frame: number): void {
    this.regs[2 * register] = frame << 12;
    // Nearly every frame is below 2^32, where a shift does it; the other store cuts a fraction off.
    this.regs[2 * register + 1] = frame < 2 ** 32 ? frame >>> 20 : frame / 2 ** 20;
  }
}
