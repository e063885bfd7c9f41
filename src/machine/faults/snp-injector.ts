import { GHCB_MSR_CODE } from "../../abi/snp/ghcb.ts";
import { PVALIDATE_RESULT, RMP_2M } from "../../abi/snp/rmp-entry.ts";
import type { RmpFaults } from "../../vmm/snp/snp-host.ts";
import { OWN_ANSWER, SNP_FAULT } from "./fault-calls.ts";
import type { Injector } from "./injector.ts";

const PAGE = 4096;
const UNIT = 2 ** 21;
/** A request by GHCB page. */
const BY_PAGE = 0;

/** Makes what an SNP guest and its host ask of the processor and of each other fail. */
export class SnpInjector implements RmpFaults {
  private readonly injector: Injector;

  constructor(injector: Injector) {
    this.injector = injector;
  }

  /**
   * A vCPU is about to execute PVALIDATE.
   *
   * Only 2 MiB can answer FAIL_SIZEMISMATCH: such a fault does not count others.
   *
   * @returns what it answers instead of doing its work, or -1
   */
  pvalidate(vcpu: number, gpa: number, size: number, validate: number): number {
    const code = validate === 1 ? SNP_FAULT.PVALIDATE : SNP_FAULT.RESCIND;
    const end = gpa + (size === RMP_2M ? UNIT : PAGE);
    return this.ask(code, vcpu, gpa, end, size === RMP_2M);
  }

  /** A vCPU is about to leave for a request. @param code of the GHCB MSR; 0: the request is in the page */
  vmgexit(vcpu: number, code: number): void {
    if (code !== BY_PAGE && code !== GHCB_MSR_CODE.PSC_REQUEST) return;
    const answer = this.injector.snp(code === BY_PAGE ? SNP_FAULT.PSC : SNP_FAULT.PSC_BY_MSR, vcpu, 0, 0);
    if (answer !== OWN_ANSWER) this.injector.arrange(answer);
  }

  rmpUpdate(start: number, end: number): number {
    return this.ask(SNP_FAULT.RMPUPDATE, -1, start, end, true);
  }

  psmash(start: number, end: number): number {
    return this.ask(SNP_FAULT.PSMASH, -1, start, end, true);
  }

  private ask(code: number, vcpu: number, start: number, end: number, large: boolean): number {
    const answer = this.injector.snp(
      code,
      vcpu,
      start,
      end,
      (rule) => large || rule.answer !== PVALIDATE_RESULT.FAIL_SIZEMISMATCH,
    );
    return answer === OWN_ANSWER ? -1 : answer;
  }
}
