import { RCX, RDX, type Regs } from "../../abi/tdx/regs.ts";
import { OPERAND_ID, type Status, status } from "../../abi/tdx/status.ts";
import { LIFECYCLE, PAGE_TYPE } from "../../abi/tdx/td-state.ts";
import { NotModelled } from "../../not-modelled.ts";
import { KEY } from "../key-table.ts";
import type { TdxModule } from "../module.ts";
import { checkPage } from "../operands.ts";
import { SIZE_4K } from "../pamt.ts";
import { TD_WORD } from "../td.ts";

const SUCCESS = status("SUCCESS");
const INVALID = status("OPERAND_INVALID", "RDX");
const NOT_FREE = status("HKID_NOT_FREE");

/**
 * TDH.MNG.CREATE: makes a page the root (TDR) of a new TD and gives the TD a private key id.
 *
 * @param regs RCX: host address of a free 4 KiB page; RDX: key id in bits 15:0
 * @returns SUCCESS; OPERAND_INVALID(RDX) unless the key id is private; OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR,
 *   OPERAND_BUSY or PAGE_METADATA_INCORRECT(RCX); HKID_NOT_FREE. A refusal changes nothing.
 * @throws NotModelled if more TDs are alive than the module was made for
 * @source TDX module 1.5.25, TDH.MNG.CREATE
 * @missing a random TD_UUID (it is zero)
 */
export const tdhMngCreate = (m: TdxModule, regs: Regs): Status => {
  const hkid = regs[2 * RDX]!;
  if (regs[2 * RDX + 1] !== 0 || hkid > 0xffff || !m.keys.isPrivate(hkid)) return INVALID;
  const badPage = checkPage(m, regs[2 * RCX]!, regs[2 * RCX + 1]!, PAGE_TYPE.NDA, OPERAND_ID.RCX);
  if (badPage !== SUCCESS) return badPage;
  if (m.keys.stateOf(hkid) !== KEY.FREE) return NOT_FREE;
  const td = m.tds.find((candidate) => !candidate.isAlive);
  if (td === undefined) throw new NotModelled(`more than ${m.tds.length} TDs at once`);
  td.reset();
  td.words[TD_WORD.ALIVE] = 1;
  td.words[TD_WORD.TDR_FRAME] = m.frame;
  td.words[TD_WORD.HKID] = hkid;
  td.words[TD_WORD.LIFECYCLE] = LIFECYCLE.HKID_ASSIGNED;
  m.keys.setState(hkid, KEY.ASSIGNED);
  m.pamt.take(m.frame, SIZE_4K, PAGE_TYPE.TDR, td.number + 1);
  m.td = td;
  return SUCCESS;
};
