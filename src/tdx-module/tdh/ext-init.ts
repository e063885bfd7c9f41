import type { Regs } from "../../abi/tdx/regs.ts";
import { type Status, status } from "../../abi/tdx/status.ts";
import { NotModelled } from "../../not-modelled.ts";
import type { TdxModule } from "../module.ts";
import { SYS_WORD } from "../sys-state.ts";

const SUCCESS = status("SUCCESS");
const NO_EXTENSIONS = status("OPERAND_INVALID", "RAX");
const INTERRUPTED = status("INTERRUPTED_RESUMABLE");

/**
 * TDH.EXT.INIT: starts the extensions, which go through their pages once.
 *
 * @returns SUCCESS, EXT_REQUIRED is 0 from then on; INTERRUPTED_RESUMABLE: repeat the call;
 *   OPERAND_INVALID(RAX) on a module without extensions
 * @throws NotModelled before the pool is whole, and when nothing asks for the call
 * @source Linux TDX Module Extensions series, 2026-06. That a call interrupted goes on page by page is inference.
 * @missing what it answers before the pool is whole, and when EXT_REQUIRED is 0
 */
export const tdhExtInit = (m: TdxModule, _regs: Regs): Status => {
  if (!m.features.includes("EXT")) return NO_EXTENSIONS;
  const { words } = m.sys;
  const given = words[SYS_WORD.EXT_GIVEN]!;
  if (words[SYS_WORD.EXT_REQUIRED] === 0) throw new NotModelled("TDH.EXT.INIT when EXT_REQUIRED is 0");
  if (given !== words[SYS_WORD.EXT_WANTED]) throw new NotModelled("TDH.EXT.INIT before the pool is whole");
  const every = words[SYS_WORD.INTERRUPT_EVERY]!;
  const left = given - words[SYS_WORD.EXT_CURSOR]!;
  if (every !== 0 && left > every) {
    words[SYS_WORD.EXT_CURSOR]! += every;
    return INTERRUPTED;
  }
  words[SYS_WORD.EXT_CURSOR] = given;
  words[SYS_WORD.EXT_REQUIRED] = 0;
  return SUCCESS;
};
