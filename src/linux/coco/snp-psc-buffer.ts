import {
  GHCB_PAGE,
  PSC_BUFFER,
  PSC_ENTRY_BYTES,
  PSC_LINUX_ENTRIES,
  VMGEXIT_PSC,
} from "../../abi/snp/ghcb.ts";
import type { Kernel } from "../kernel.ts";
import { snpOf } from "./snp-instructions.ts";

const UNIT = 2 ** 21;
const PAGE = 4096;
/** Bit 56 of an entry, in its high half, and where the operation lies there. */
const LARGE = 2 ** 24;
const OPERATION = 2 ** 20;

/** Size of the entry that starts at an address: 2 MiB where it fits. */
export const entryBytes = (at: number, end: number): number =>
  at % UNIT === 0 && end - at >= UNIT ? UNIT : PAGE;

/** End of the batch that starts at an address: as many entries as Linux puts into one request. */
export const batchEnd = (start: number, end: number): number => {
  let at = start;
  for (let entry = 0; entry < PSC_LINUX_ENTRIES && at < end; entry++) at += entryBytes(at, end);
  return at;
};

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Writes a batch into the GHCB's shared buffer, and what the exit is about. @returns number of the last entry */
export const writePscBuffer = (
  k: Kernel,
  vcpu: number,
  start: number,
  end: number,
  operation: number,
): number => {
  const ghcb = viewOf(snpOf(k).ghcb(vcpu));
  const buffer = GHCB_PAGE.SHARED_BUFFER;
  let count = 0;
  for (let at = start; at < end; count++) {
    const bytes = entryBytes(at, end);
    const place = buffer + PSC_BUFFER.ENTRIES + count * PSC_ENTRY_BYTES;
    ghcb.setUint32(place, at >>> 0, true);
    const high = Math.floor(at / 2 ** 32) + operation * OPERATION + (bytes === UNIT ? LARGE : 0);
    ghcb.setUint32(place + 4, high, true);
    at += bytes;
  }
  ghcb.setUint16(buffer + PSC_BUFFER.CURRENT, 0, true);
  ghcb.setUint16(buffer + PSC_BUFFER.END, count - 1, true);
  ghcb.setUint32(buffer + PSC_BUFFER.RESERVED, 0, true);
  return count - 1;
};

/** Says in the GHCB what the next VMGEXIT asks for. */
export const writePscExit = (k: Kernel, vcpu: number): void => {
  const snp = snpOf(k);
  const ghcb = viewOf(snp.ghcb(vcpu));
  ghcb.setUint32(GHCB_PAGE.EXIT_CODE, VMGEXIT_PSC, true);
  ghcb.setUint32(GHCB_PAGE.EXIT_CODE + 4, 0, true);
  ghcb.setBigUint64(GHCB_PAGE.EXIT_INFO_1, 0n, true);
  ghcb.setBigUint64(GHCB_PAGE.EXIT_INFO_2, 0n, true);
  // Where the buffer lies: what its address is does not matter here, that it lies in this page does.
  ghcb.setUint32(GHCB_PAGE.SCRATCH, GHCB_PAGE.SHARED_BUFFER, true);
  // The page's address, low bits 0: this is no request of the MSR protocol.
  snp.setMsr(vcpu, 0, 0);
};

/** What a host wrote back. */
export interface PscAnswer {
  readonly current: number;
  readonly end: number;
  readonly reserved: number;
  /** SW_EXITINFO2 in two halves. */
  readonly errorHi: number;
  readonly errorLo: number;
}

export const readPscAnswer = (k: Kernel, vcpu: number): PscAnswer => {
  const ghcb = viewOf(snpOf(k).ghcb(vcpu));
  const buffer = GHCB_PAGE.SHARED_BUFFER;
  return {
    current: ghcb.getUint16(buffer + PSC_BUFFER.CURRENT, true),
    end: ghcb.getUint16(buffer + PSC_BUFFER.END, true),
    reserved: ghcb.getUint32(buffer + PSC_BUFFER.RESERVED, true),
    errorHi: ghcb.getUint32(GHCB_PAGE.EXIT_INFO_2 + 4, true),
    errorLo: ghcb.getUint32(GHCB_PAGE.EXIT_INFO_2, true),
  };
};
