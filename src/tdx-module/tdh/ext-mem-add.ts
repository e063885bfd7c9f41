import { HPA_LIST_INFO } from "../../abi/tdx/hpa-list-info.ts";
import { getBig, RCX, type Regs, setBig } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { TdxModule } from "../module.ts";
import { checkPage } from "../operands.ts";
import { EXT_POOL, NO_OWNER, SIZE_4K } from "../pamt.ts";
import { sharedHpa } from "../shared-hpa.ts";
import { SYS_WORD } from "../sys-state.ts";

const SUCCESS = status("SUCCESS");
const NO_EXTENSIONS = status("OPERAND_INVALID", "RAX");
const INVALID = status("OPERAND_INVALID", "RCX");
const INTERRUPTED = status("INTERRUPTED_RESUMABLE");
const ENTRY = OPERAND_ID.NEW_PAGE_LIST_ENTRY;

/**
 * TDH.EXT.MEM.ADD: takes pages for the module's extensions, for good. The page that lists them stays the host's.
 *
 * @param regs RCX: HPA_LIST_INFO
 * @returns SUCCESS, all entries taken; INTERRUPTED_RESUMABLE: RCX names the first entry not taken, repeat the call with it;
 *   OPERAND_INVALID(RAX) on a module without extensions; OPERAND_INVALID(RCX) for a reserved bit, a list page that is not the
 *   host's own, or a first entry behind the last; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY,
 *   PAGE_METADATA_INCORRECT or, with dynamic PAMT, MISSING_PAMT_PAGE_PAIR(NEW_PAGE_LIST_ENTRY) for the entry that RCX then names, the ones before it taken.
 * @throws NotModelled for pages beyond those that the module asked for
 * @changes the metadata of each page taken, and how many there are
 * @source Linux TDX Module Extensions series, v1 and v2, 2026-06. No public module source has the leaf: the statuses other than
 *   SUCCESS and INTERRUPTED_RESUMABLE, and that a bad entry does not undo the ones before it, are inference.
 * @missing pages beyond the pool's size
 */
export const tdhExtMemAdd = (m: TdxModule, regs: Regs): Status => {
  if (!m.features.includes("EXT")) return NO_EXTENSIONS;
  const info = getBig(regs, RCX);
  const { firstEntry, pfn, lastEntry } = HPA_LIST_INFO.decode(info);
  const listAt = pfn << 12n;
  const list = sharedHpa(m, Number(listAt & 0xffff_ffffn), Number(listAt >> 32n), 4096);
  if ((info & HPA_LIST_INFO.reserved) !== 0n || list < 0 || firstEntry > lastEntry) return INVALID;
  const bytes = new Uint8Array(4096);
  m.host.read(list, bytes);
  const entries = new DataView(bytes.buffer);
  const every = m.sys.words[SYS_WORD.INTERRUPT_EVERY]!;
  let entry = Number(firstEntry);
  let result: Status = SUCCESS;
  while (result === SUCCESS && entry <= Number(lastEntry)) {
    if (every !== 0 && entry - Number(firstEntry) === every) result = INTERRUPTED;
    else result = takeEntry(m, entries.getUint32(8 * entry, true), entries.getUint32(8 * entry + 4, true));
    if (result === SUCCESS) entry++;
  }
  if (result !== SUCCESS)
    setBig(regs, RCX, HPA_LIST_INFO.encode({ firstEntry: BigInt(entry), pfn, lastEntry }));
  return result;
};

const takeEntry = (m: TdxModule, lo: number, hi: number): Status => {
  const badPage = checkPage(m, lo, hi, PAGE_TYPE.NDA, ENTRY);
  if (badPage !== SUCCESS) return badPage;
  const { words } = m.sys;
  if (words[SYS_WORD.EXT_GIVEN] === words[SYS_WORD.EXT_WANTED]) {
    throw new NotModelled("TDH.EXT.MEM.ADD beyond the pages that the module asked for");
  }
  m.pamt.take(m.frame, SIZE_4K, EXT_POOL, NO_OWNER);
  words[SYS_WORD.EXT_GIVEN]!++;
  return SUCCESS;
};
