import { PAGE_SIZE } from "../units.ts";
import { KILLED_EVENT, VM_END, type VmmSink } from "./events.ts";

const REASON = 0;
const GPA = 1;
const VCPU = 2;
const STATUS = 3;

/** Whether the VM still runs, and what ended it. */
export class VmLife {
  /** VM_END number, address in bytes, vCPU, status of the TDX module. */
  readonly words = new Float64Array(4);
  private readonly sink: VmmSink | undefined;

  constructor(sink: VmmSink | undefined) {
    this.sink = sink;
  }

  /** VM_END number of the reason; 0 while the VM runs. */
  get ended(): number {
    return this.words[REASON]!;
  }

  get end(): {
    readonly reason: number;
    readonly gpa: number;
    readonly vcpu: number;
    readonly status: number;
  } {
    const words = this.words;
    return { reason: words[REASON]!, gpa: words[GPA]!, vcpu: words[VCPU]!, status: words[STATUS]! };
  }

  /** Ends the VM. The first reason stays. */
  kill(reason: number, vcpu: number, frame: number, status: number): void {
    if (this.ended !== VM_END.NONE) return;
    this.words[REASON] = reason;
    this.words[GPA] = frame * PAGE_SIZE;
    this.words[VCPU] = vcpu;
    this.words[STATUS] = status;
    this.sink?.emit(KILLED_EVENT, vcpu, reason, frame * PAGE_SIZE, status, 0);
  }
}
