import { type Status, status } from "../abi/tdx/status.ts";
import { NotModelled } from "../not-modelled.ts";
import { PAGE_SIZE } from "../units.ts";
import type { TdxHost } from "./host-kernel.ts";
import type { TdMemory } from "./td-memory.ts";

const SUCCESS = status("SUCCESS");

/** A SEAMCALL that the host makes for a TD's first page, and what the module answers. */
export interface ControlPageResult {
  readonly leaf: "TDH.MNG.CREATE" | "TDH.PHYMEM.PAMT.ADD";
  readonly status: Status;
}

/**
 * Whether the pages that the allocator would give a TD for its control structures are pages that the module knows. Those of memory
 * that nothing checked when it was added are not: then the call for the very first page, the TDR, is made and refused.
 *
 * @returns what that call answers; SUCCESS, and no call made, if all pages are known
 * @throws NotModelled if the TDR is known and a later page is not
 * @source Linux arch/x86/kvm/vmx/tdx.c, tdx_td_init, which answers -EIO then
 * @missing a TD of which some control pages have metadata and others have none
 */
export const tryControlPages = (
  host: TdxHost,
  memory: TdMemory,
  count: number,
  firstKeyId: number,
): ControlPageResult => {
  const frames = Array.from({ length: count }, () => memory.takeFrame());
  const unknown = frames.findIndex((frame) => !isKnown(host, frame * PAGE_SIZE));
  const [tdr, ...others] = frames;
  const operands =
    host.module.pairs === undefined
      ? ({ leaf: "TDH.MNG.CREATE", RCX: tdr! * PAGE_SIZE, RDX: firstKeyId } as const)
      : ({
          leaf: "TDH.PHYMEM.PAMT.ADD",
          RCX: Math.floor(tdr! / 512) * 512 * PAGE_SIZE + 1,
          RDX: others[0]! * PAGE_SIZE,
          R8: others[1]! * PAGE_SIZE,
        } as const);
  for (const frame of frames) memory.giveFrame(frame);
  const { leaf, ...registers } = operands;
  if (unknown < 0) return { leaf, status: SUCCESS };
  if (unknown > 0)
    throw new NotModelled(
      "a TD of which some control pages lie in memory that the TDX module has no metadata for",
    );
  return { leaf, status: host.seamcall(leaf, registers) };
};

/** Whether a TDMR covers the page. What is reserved in one is never in the allocator. */
const isKnown = ({ tdmrs }: TdxHost, at: number): boolean =>
  tdmrs.some(({ start, end }) => start <= at && at < end);
