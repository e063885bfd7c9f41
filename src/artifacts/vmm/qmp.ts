import { kept } from "../fact-sink.ts";
import type { FactBody } from "../facts.ts";
import { ADDRESS_LIMIT } from "../facts.ts";
import { lsmemFact } from "../sys/lsmem.ts";
import { isRecord, type Json, JsonDocuments, member } from "../text/json-documents.ts";
import { type LineContext, type LineReader, unquoted } from "../text/line-reader.ts";

type JsonRecord = { readonly [name: string]: Json };

const text = (value: Json | undefined): string => (typeof value === "string" ? kept(value) : "");
const size = (value: Json | undefined): number | undefined =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= ADDRESS_LIMIT
    ? value
    : undefined;

const deviceFact = (entry: Json | undefined): FactBody[] => {
  const data = member(entry, "data");
  const addr = size(member(data, "addr")) ?? size(member(data, "memaddr"));
  const bytes = size(member(data, "size"));
  if (addr === undefined || bytes === undefined) return [];
  return [
    {
      kind: "memory-device",
      id: text(member(data, "id")),
      type: text(member(entry, "type")),
      addr,
      size: bytes,
      maxSize: size(member(data, "max-size")),
      requested: size(member(data, "requested-size")),
      blockSize: size(member(data, "block-size")),
      node: size(member(data, "node")),
      slot: size(member(data, "slot")),
    },
  ];
};

const ostFact = (info: Json | undefined): FactBody[] => {
  if (!isRecord(info) || member(info, "slot-type") !== "DIMM") return [];
  const source = size(member(info, "source"));
  const status = size(member(info, "status"));
  if (source === undefined || status === undefined) return [];
  return [
    {
      kind: "device-ost",
      id: text(member(info, "device")),
      slot: text(member(info, "slot")),
      source,
      status,
    },
  ];
};

/** What each event tells. Events without a row say nothing of memory. */
const EVENTS: { readonly [name: string]: (data: JsonRecord) => FactBody[] } = {
  MEMORY_DEVICE_SIZE_CHANGE: (data) => {
    const bytes = size(member(data, "size"));
    return bytes === undefined ? [] : [{ kind: "device-size", id: text(member(data, "id")), bytes }];
  },
  ACPI_DEVICE_OST: (data) => ostFact(member(data, "info")),
  DEVICE_DELETED: (data) =>
    member(data, "device") === undefined
      ? []
      : [{ kind: "device-deleted", id: text(member(data, "device")) }],
};

/** A region as `cxl list` prints it. */
const cxlRegion = (document: Json): FactBody[] => {
  const start = size(member(document, "resource"));
  const bytes = size(member(document, "size"));
  const name = text(member(document, "region"));
  if (start === undefined || bytes === undefined || start + bytes > ADDRESS_LIMIT) return [];
  return [{ kind: "cxl-region", name, start, end: start + bytes }];
};

/** A device as `daxctl list` prints it. */
const daxDevice = (document: Json): FactBody[] => {
  const bytes = size(member(document, "size"));
  if (bytes === undefined) return [];
  const name = text(member(document, "chardev"));
  const mode = text(member(document, "mode"));
  return [{ kind: "dax-device", name, bytes, mode, node: size(member(document, "target_node")) }];
};

/** lsmem --json: a document of its own. */
const lsmemRows = (rows: Json | undefined): FactBody[] => {
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: Json) => {
    if (!isRecord(row)) return [];
    const range = /^0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})$/.exec(text(member(row, "range")));
    if (range === null) return [];
    const fact = lsmemFact(range[1]!, range[2]!, (column) => {
      const cell = row[column.toLowerCase()];
      if (typeof cell === "boolean") return cell ? "yes" : "no";
      // lsmem of util-linux 2.30 has text there.
      if (column === "REMOVABLE") return cell === "1" ? "yes" : cell === "0" ? "no" : String(cell);
      return cell === undefined || cell === null ? undefined : String(cell);
    });
    return fact === undefined ? [] : [fact];
  });
};

const returnFacts = (value: Json | undefined): FactBody[] => {
  if (Array.isArray(value)) {
    return value.flatMap((entry: Json) => {
      if (isRecord(entry) && member(entry, "slot-type") !== undefined) return ostFact(entry);
      return deviceFact(entry);
    });
  }
  if (!isRecord(value)) return [];
  const base = size(member(value, "base-memory"));
  if (base === undefined) return [];
  return [{ kind: "size-summary", base, plugged: size(member(value, "plugged-memory")) ?? 0 }];
};

/** A document with one of these members is one of ours. */
const KNOWN = ["return", "event", "execute", "error", "QMP", "memory", "region", "chardev"] as const;

/**
 * Conversations with a VMM over QMP, as recorded on the wire, pretty-printed, or quoted in documentation; and the
 * JSON of lsmem, cxl and daxctl, which is met in the same places.
 *
 * @missing commands that travel out of order (exec-oob)
 */
export class Qmp implements LineReader {
  readonly kind = "JSON of a VMM, lsmem, cxl or daxctl";
  readonly absent =
    'no JSON document of a VMM ("return", "event", "execute") and none of lsmem, cxl or daxctl';
  readonly literals = ["{"];
  private readonly documents = new JsonDocuments();
  private count = 0;
  /** Commands that were not answered yet, oldest first. */
  private asked: JsonRecord[] = [];

  line(text: string, context: LineContext): void {
    for (const { document, line } of this.documents.line(unquoted(text), context.line)) {
      const facts = this.facts(document);
      for (const body of facts) context.sink.fact(body, { source: context.source, line }, context.standing);
    }
  }

  isOpen(): boolean {
    return this.documents.isOpen();
  }

  end(context: LineContext): void {
    if (this.documents.isOpen() && this.count > 0) {
      const at = { source: context.source, line: this.documents.startLine };
      context.sink.trouble("warning", at, "a JSON document that ends", "the end of the text");
    }
    this.documents.reset();
  }

  found(): number {
    return this.count;
  }

  private facts(document: Json): FactBody[] {
    if (!isRecord(document)) return [];
    const known = KNOWN.some((name) => Object.hasOwn(document, name));
    if (!known) return [];
    this.count++;
    if (member(document, "memory") !== undefined) return lsmemRows(member(document, "memory"));
    if (member(document, "region") !== undefined) return cxlRegion(document);
    if (member(document, "chardev") !== undefined) return daxDevice(document);
    if (member(document, "execute") !== undefined) {
      if (this.asked.length < 1000) this.asked.push(document);
      return [];
    }
    if (member(document, "error") !== undefined) return this.failed(member(document, "error"));
    if (member(document, "return") !== undefined) {
      const asked = this.asked.shift();
      return [...returnFacts(member(document, "return")), ...this.requested(asked, undefined)];
    }
    const event = member(document, "event");
    const data = member(document, "data");
    const read = typeof event === "string" && Object.hasOwn(EVENTS, event) ? EVENTS[event] : undefined;
    return read === undefined || !isRecord(data) ? [] : read(data);
  }

  private failed(error: Json | undefined): FactBody[] {
    const asked = this.asked.shift();
    const said = text(member(error, "desc"));
    const command = asked === undefined ? "" : text(member(asked, "execute"));
    return [{ kind: "qmp-error", command, said }, ...this.requested(asked, said)];
  }

  private requested(asked: JsonRecord | undefined, refused: string | undefined): FactBody[] {
    const given = member(asked, "arguments");
    const bytes = size(member(given, "value"));
    if (
      member(asked, "execute") !== "qom-set" ||
      member(given, "property") !== "requested-size" ||
      bytes === undefined
    )
      return [];
    return [{ kind: "device-request", id: text(member(given, "path")).replace(/^.*\//, ""), bytes, refused }];
  }
}
