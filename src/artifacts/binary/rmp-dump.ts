import { RmpError, RmpReader } from "../../snp/read-rmp.ts";
import type { FactSink } from "../fact-sink.ts";
import type { RmpOwner } from "../facts.ts";

const PAGE = 4096;
/** Address space number of what belongs to firmware. */
const FIRMWARE = 0;

/** Reads a dump of an SEV-SNP host's reverse map table as it comes, and counts what each guest has. */
export class RmpDump {
  private readonly owners = new Map<number, { -readonly [name in keyof RmpOwner]: RmpOwner[name] }>();
  private error: RmpError | undefined;
  private readonly reader = new RmpReader(({ asid, pages, validated }) => {
    const owner = this.owners.get(asid) ?? { asid, bytes: 0, validated: 0, pages2M: 0, pages4K: 0 };
    owner.bytes += pages * PAGE;
    if (validated) owner.validated += pages * PAGE;
    if (pages === 1) owner.pages4K++;
    else owner.pages2M++;
    this.owners.set(asid, owner);
  });

  /** Nothing is read behind the first contradiction. */
  push(chunk: Uint8Array): void {
    this.guard(() => this.reader.push(chunk));
  }

  /** Tells what was read, and where the table contradicts itself. */
  finish(source: string, sink: FactSink): void {
    this.guard(() => this.reader.end());
    const owners = [...this.owners.values()].sort((a, b) => a.asid - b.asid);
    const guests = owners.filter(({ asid }) => asid !== FIRMWARE);
    const firmware = owners.find(({ asid }) => asid === FIRMWARE)?.bytes ?? 0;
    const described = this.reader.pages * PAGE;
    sink.fact({ kind: "rmp-dump", described, firmware, guests }, { source, offset: 0 });
    if (this.error === undefined) return;
    const { offset, expected, found } = this.error;
    sink.trouble("error", { source, offset }, expected, found);
  }

  private guard(deed: () => void): void {
    if (this.error !== undefined) return;
    try {
      deed();
    } catch (error) {
      if (!(error instanceof RmpError)) throw error;
      this.error = error;
    }
  }
}
