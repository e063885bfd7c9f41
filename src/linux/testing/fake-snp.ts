import { GHCB_PAGE, PSC_BUFFER } from "../../abi/snp/ghcb.ts";
import type { SnpInstructions } from "../boundary.ts";

const BUFFER = GHCB_PAGE.SHARED_BUFFER;

/** SNP instructions that keep what they are asked and do what a script says; the host does all of a request at once. */
export class FakeSnp implements SnpInstructions {
  /** What was executed, as text: `validate 2M 0x100000000`, `request 2 private 2M 0x100000000`. */
  readonly log: string[] = [];
  readonly page = new Uint8Array(GHCB_PAGE.BYTES);
  readonly words = new Uint32Array(2);
  /** PVALIDATE's answer; left out: done. */
  pvalidates: (gpa: number, size: number, validate: number) => number = () => 0;
  /** What the host does with a request: it may write into the page. Left out: all of it. */
  host: (ghcb: DataView) => void = (ghcb) => {
    ghcb.setUint16(BUFFER + PSC_BUFFER.CURRENT, ghcb.getUint16(BUFFER + PSC_BUFFER.END, true) + 1, true);
  };
  /** The host's answer to a request by MSR. */
  msrAnswer: readonly [low: number, high: number] = [0x15, 0];

  pvalidate(_vcpu: number, gpa: number, size: number, validate: number): number {
    const result = this.pvalidates(gpa, size, validate);
    const what = validate === 1 ? "validate" : "rescind";
    this.log.push(
      `${what} ${size === 1 ? "2M" : "4K"} 0x${gpa.toString(16)}${result === 0 ? "" : ` = ${result}`}`,
    );
    return result;
  }

  vmgexit(): void {
    const low = this.words[0]!;
    if ((low & 0xfff) !== 0) {
      const gfn = (this.words[1]! & 0xf_ffff) * 2 ** 20 + (low >>> 12);
      this.log.push(
        (low & 0xfff) === 0x100
          ? `terminate ${(low >>> 12) & 15} ${(low >>> 16) & 255}`
          : `msr 0x${gfn.toString(16)}`,
      );
      this.words.set(this.msrAnswer);
      return;
    }
    const view = new DataView(this.page.buffer);
    const first = view.getBigUint64(BUFFER + PSC_BUFFER.ENTRIES, true);
    const count = view.getUint16(BUFFER + PSC_BUFFER.END, true) + 1;
    const operation = (first >> 52n) & 15n;
    const size = (first >> 56n) & 1n;
    const at = (first & 0xf_ffff_ffff_f000n).toString(16);
    this.log.push(
      `request ${count} ${operation === 1n ? "private" : "shared"} ${size === 1n ? "2M" : "4K"} 0x${at}`,
    );
    this.host(view);
  }

  ghcb(): Uint8Array {
    return this.page;
  }
  msr(): Uint32Array {
    return this.words;
  }
  setMsr(_vcpu: number, low: number, high: number): void {
    this.words[0] = low;
    this.words[1] = high;
  }
}
