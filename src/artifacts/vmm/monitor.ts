import { kept } from "../fact-sink.ts";
import { ADDRESS_LIMIT, addressOf, type MemoryDevice } from "../facts.ts";
import { type LineContext, type LineReader, placeOf, unquoted } from "../text/line-reader.ts";

const HEAD = /^\s*(?:\(qemu\) )?Memory device \[([a-z0-9-]+)\]: "([^"]*)"\s*$/;
const FIELD =
  /^\s*(memaddr|addr|node|requested-size|size|max-size|block-size|slot): (?:0x([0-9a-f]+)|(\d+))\s*$/;
const OTHER = /^\s*(?:memdev|hotplugged|hotpluggable): /;

const number = (digits: string | undefined, decimal: string | undefined): number | undefined => {
  if (digits !== undefined) return addressOf(digits);
  const value = Number(decimal);
  return value <= ADDRESS_LIMIT ? value : undefined;
};

/** What QEMU's human monitor answers to `info memory-devices`. */
export class HumanMonitor implements LineReader {
  readonly kind = "QEMU monitor";
  readonly absent = 'no "Memory device [...]" of info memory-devices';
  readonly literals = ["Memory device ["];
  private head: { readonly type: string; readonly id: string; readonly line: number } | undefined;
  private fields = new Map<string, number>();
  private count = 0;

  line(text: string, context: LineContext): void {
    const body = unquoted(text);
    const field = this.head === undefined ? null : FIELD.exec(body);
    if (field !== null) {
      const value = number(field[2], field[3]);
      if (value !== undefined) this.fields.set(field[1]!, value);
      return;
    }
    if (this.head !== undefined && OTHER.test(body)) return;
    this.end(context);
    const head = HEAD.exec(body);
    if (head !== null) this.head = { type: kept(head[1]!), id: kept(head[2]!), line: context.line };
  }

  isOpen(): boolean {
    return this.head !== undefined;
  }

  end(context: LineContext): void {
    const { head, fields } = this;
    if (head === undefined) return;
    this.head = undefined;
    this.fields = new Map();
    const addr = fields.get("memaddr") ?? fields.get("addr");
    const size = fields.get("size");
    const at = { ...placeOf(context), line: head.line };
    if (addr === undefined || size === undefined) {
      context.sink.trouble("warning", at, "a device with an address and a size", `"${head.id}" without`);
      return;
    }
    this.count++;
    const device: MemoryDevice = {
      kind: "memory-device",
      id: head.id,
      type: head.type,
      addr,
      size,
      maxSize: fields.get("max-size"),
      requested: fields.get("requested-size"),
      blockSize: fields.get("block-size"),
      node: fields.get("node"),
      slot: fields.get("slot"),
    };
    context.sink.fact(device, at, context.standing);
  }

  found(): number {
    return this.count;
  }
}
