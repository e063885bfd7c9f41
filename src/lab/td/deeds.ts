import { type Status, status, withoutDetails } from "../../abi/tdx/status.ts";
import { MIB } from "../../units.ts";
import type { PageRights } from "../enforce/page-rights.ts";
import type { LabViolation } from "../enforce/violation.ts";
import type { PageCall } from "./trust-domain.ts";

const UNIT = 2 * MIB;
const ALREADY_ACCEPTED = status("PAGE_ALREADY_ACCEPTED");

/**
 * Which rule a page call of the guest breaks by itself, whatever comes of it.
 *
 * I2: what is accepted is plugged. I3: nothing is accepted twice.
 */
export const judgePageCall = (call: PageCall, rights: PageRights): LabViolation[] => {
  const { leaf, vcpu, start, end } = call;
  if (leaf !== "TDG.MEM.PAGE.ACCEPT") return [];
  const violation = (invariant: string, why: string): LabViolation => ({
    invariant,
    range: { start, end },
    why,
    place: undefined,
    vcpu,
    septState: rights.stateName(start),
    plugged: rights.isPlugged(start),
  });
  const found: LabViolation[] = [];
  if (call.status > 0 && withoutDetails(call.status as Status) === ALREADY_ACCEPTED)
    found.push(violation("I3", "TDG.MEM.PAGE.ACCEPT found the page accepted already"));
  let plugged = true;
  for (let at = start; at < end && plugged; at += UNIT) plugged = rights.isPlugged(at);
  if (!plugged) found.push(violation("I2", "accepted, and the VMM has not plugged it"));
  return found;
};
