import { assert } from "../assert.ts";
import { NotModelled } from "../not-modelled.ts";

/** A part of a TDMR that stays outside TDX, in bytes from the TDMR's base. */
export interface ReservedArea {
  readonly offset: number;
  readonly size: number;
}

/** One trust domain memory region, in bytes: base and size are multiples of 1 GiB. */
export interface Tdmr {
  readonly base: number;
  readonly size: number;
  readonly reserved?: readonly ReservedArea[];
}

/** What a host address is to the module. */
export const COVERED = 0;
export const RESERVED = 1;
export const OUTSIDE = 2;

const GIB = 2 ** 30;
/** Pages of TDX are known by frame numbers of 32 bits; metadata may describe more. */
const MOST_FRAMES = 2 ** 32;

/**
 * The TDMR list, as sorted runs of frames. It is fixed once the module is configured and all metadata is made; until then
 * `setReady` says how far TDH.SYS.TDMR.INIT has come, and what lies beyond is OUTSIDE. It is made anew from the module's
 * state where that is restored, so it is no state itself.
 *
 * @missing pages of TDX above 16 TiB of host memory; the host may have more, and its metadata is made
 */
export class TdmrList {
  /** Runs of frames: `[start, end)` and what they are, ascending; the gaps between are OUTSIDE. */
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  private readonly kinds: Uint8Array;
  /** First frame of the run's TDMR that has no metadata yet. */
  private readonly ready: Float64Array;
  /** First and one past the last frame of all TDMRs. */
  readonly firstFrame: number;
  readonly endFrame: number;
  /** The COVERED run hit last. */
  private runStart = 1;
  private runEnd = 0;

  constructor(tdmrs: readonly Tdmr[], configured = true) {
    assert(tdmrs.length > 0 || !configured, "a configured module has a TDMR");
    const runs = tdmrs.flatMap(runsOf);
    for (let i = 1; i < runs.length; i++) {
      assert(runs[i - 1]!.end <= runs[i]!.start, "TDMRs and their reserved areas ascend and do not overlap");
    }
    this.starts = Float64Array.from(runs, (run) => run.start);
    this.ends = Float64Array.from(runs, (run) => run.end);
    this.kinds = Uint8Array.from(runs, (run) => run.kind);
    this.ready = this.ends.slice();
    this.firstFrame = runs[0]?.start ?? 0;
    this.endFrame = runs.at(-1)?.end ?? 0;
  }

  /**
   * COVERED, RESERVED or OUTSIDE. `frame` is below 2^40.
   *
   * @throws NotModelled for a covered frame above 16 TiB
   */
  kindOf(frame: number): number {
    if (this.runStart <= frame && frame < this.runEnd) return COVERED;
    for (let i = 0; i < this.starts.length && this.starts[i]! <= frame; i++) {
      if (frame >= this.ends[i]!) continue;
      if (frame >= this.ready[i]!) return OUTSIDE;
      const kind = this.kinds[i]!;
      if (kind === COVERED) {
        if (frame >= MOST_FRAMES) throw new NotModelled("a page of TDX above 16 TiB of host memory");
        this.runStart = this.starts[i]!;
        this.runEnd = Math.min(this.ends[i]!, this.ready[i]!, MOST_FRAMES);
      }
      return kind;
    }
    return OUTSIDE;
  }

  /** Says that of the TDMR from byte `start` to `end` only what lies below `readyEnd` has metadata. */
  setReady(start: number, end: number, readyEnd: number): void {
    this.runEnd = 0;
    for (let i = 0; i < this.starts.length && this.starts[i]! < end / 4096; i++) {
      if (start / 4096 <= this.starts[i]!) this.ready[i] = Math.min(this.ends[i]!, readyEnd / 4096);
    }
  }

  /** Whether the aligned run of `count` frames lies in one COVERED run. */
  coversWhole(frame: number, count: number): boolean {
    return this.kindOf(frame) === COVERED && frame + count <= this.runEnd;
  }
}

interface Run {
  readonly start: number;
  readonly end: number;
  readonly kind: number;
}

const runsOf = ({ base, size, reserved = [] }: Tdmr): Run[] => {
  assert(base % GIB === 0 && size % GIB === 0 && size > 0, "a TDMR is aligned to 1 GiB in base and size");
  const runs: Run[] = [];
  let at = base / 4096;
  const end = at + size / 4096;
  for (const area of reserved) {
    assert(area.offset % 4096 === 0 && area.size % 4096 === 0, "a reserved area is a run of 4 KiB frames");
    const start = (base + area.offset) / 4096;
    const stop = start + area.size / 4096;
    assert(at <= start && start < stop && stop <= end, "reserved areas ascend inside their TDMR");
    if (at < start) runs.push({ start: at, end: start, kind: COVERED });
    runs.push({ start, end: stop, kind: RESERVED });
    at = stop;
  }
  if (at < end) runs.push({ start: at, end, kind: COVERED });
  return runs;
};
