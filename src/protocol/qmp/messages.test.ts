import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { sharedFiles } from "../../../test/shared-data.ts";
import { isCommandName, QMP_COMMANDS } from "./commands.ts";
import { isEventName, QMP_EVENTS } from "./events.ts";
import { JsonStream } from "./json-stream.ts";
import {
  type ClientMessage,
  clientMessageOf,
  encodeClientMessage,
  encodeServerMessage,
  type ServerMessage,
  serverMessageOf,
} from "./messages.ts";
import { QmpFormatError } from "./qmp-error.ts";

const VERSION = { qemu: { micro: 22, minor: 2, major: 7 }, package: "" };

it.each([
  [
    '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}',
    { kind: "greeting", version: VERSION, capabilities: ["oob"] },
  ],
  ['{"return": {}, "id": 7}', { kind: "return", id: 7, value: {} }],
  ['{"return": 0}', { kind: "return", id: undefined, value: 0 }],
  ['{"return": [], "id": null}', { kind: "return", id: null, value: [] }],
  [
    '{"id": "a", "error": {"class": "DeviceNotFound", "desc": "Device \'x\' not found"}}',
    { kind: "error", id: "a", failure: { class: "DeviceNotFound", desc: "Device 'x' not found" } },
  ],
  [
    '{"timestamp": {"seconds": 1795258643, "microseconds": 321447}, "event": "STOP"}',
    { kind: "event", name: "STOP", timestamp: { seconds: 1795258643, microseconds: 321447 }, data: {} },
  ],
])("a server's %s is read, and written so that it reads the same", (text, message) => {
  const read = serverMessageOf(text);
  expect(read).toEqual(message);
  expect(serverMessageOf(encodeServerMessage(read).trimEnd())).toEqual(read);
});

it("a command is one line that ends in CR LF, without what is undefined", () => {
  const command = (name: string, args: ClientMessage["args"], id?: number): ClientMessage => ({
    name,
    args,
    id,
  });
  expect(encodeClientMessage(command("stop", {}))).toBe('{"execute":"stop"}\r\n');
  expect(encodeClientMessage(command("device_del", { id: "d\u00e9\n" }, 3))).toBe(
    '{"execute":"device_del","arguments":{"id":"d\\u00e9\\n"},"id":3}\r\n',
  );
});

it("a server's lines are ASCII", () => {
  const message: ServerMessage = { kind: "return", id: 1, value: "\u00e9\u{1f600}\u007f" };
  const line = encodeServerMessage(message);
  expect(line).toBe('{"return":"\\u00e9\\ud83d\\ude00\\u007f","id":1}\r\n');
  expect(serverMessageOf(line)).toEqual(message);
});

it.each([
  ["", /expected JSON/],
  ["[]", /expected an object, found a list of 0/],
  ["{}", /QMP, return, error or event/],
  ['{"error": {"class": "X"}}', /QMP error.error: expected a member "desc"/],
  ['{"event": "STOP"}', /expected a member "timestamp"/],
  ['{"event": "STOP", "timestamp": {"seconds": 1.5, "microseconds": 0}}', /seconds: expected a whole number/],
  [
    '{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}, "data": 1}',
    /data: expected an object/,
  ],
  ['{"QMP": {"capabilities": []}}', /expected a member "version"/],
])("a server's %s is refused", (text, message) => {
  expect(() => serverMessageOf(text)).toThrow(message);
});

it("a client's command is read, its id kept whatever it is", () => {
  expect(clientMessageOf('{"execute": "stop"}')).toEqual({ name: "stop", args: {}, id: undefined });
  expect(clientMessageOf('{"execute": "qom-get", "arguments": {"path": "/"}, "id": {"x": 1}}')).toEqual({
    name: "qom-get",
    args: { path: "/" },
    id: { x: 1 },
  });
  for (const text of [
    '{"execute": 1}',
    '{"exec-oob": "stop"}',
    '{"execute": "stop", "arguments": []}',
    "{}",
  ]) {
    expect(() => clientMessageOf(text), text).toThrow(QmpFormatError);
  }
});

it("a command takes what its table says, and nothing else", () => {
  const { takes } = QMP_COMMANDS["qom-set"];
  takes.read({ path: "/machine/peripheral/vm0", property: "requested-size", value: 0 }, "qom-set");
  expect(() => takes.read({ path: "/", property: "x" }, "qom-set")).toThrow(/expected a member "value"/);
  expect(() => takes.read({ path: "/", property: "x", value: 1, extra: 1 }, "qom-set")).toThrow(
    /no member "extra"/,
  );
  expect(() => QMP_COMMANDS.stop.takes.read({ id: 1 }, "stop")).toThrow(/no member "id"/);
  QMP_COMMANDS.device_add.takes.read({ driver: "pc-dimm", memdev: "m0", slot: 3 }, "device_add");
  expect(() => QMP_COMMANDS.device_add.takes.read({ id: "d" }, "device_add")).toThrow(
    /expected a member "driver"/,
  );
});

it("a size beyond what a number holds exactly is refused, not rounded", () => {
  const { returns } = QMP_COMMANDS["query-memory-size-summary"];
  expect(returns.read({ "base-memory": 2 ** 53 - 1 }, "summary")).toEqual({ "base-memory": 2 ** 53 - 1 });
  expect(() => returns.read({ "base-memory": 2 ** 53 }, "summary")).toThrow(
    /whole number from 0 to 2\^53 - 1/,
  );
});

it("what a newer QEMU adds to an answer or an event is passed over", () => {
  QMP_COMMANDS["query-status"].returns.read(
    { status: "running", running: true, brand: "new" },
    "query-status",
  );
  QMP_EVENTS.DEVICE_DELETED.read({ path: "/machine/peripheral/x", more: [] }, "DEVICE_DELETED");
});

it("names that every object has are neither commands nor events nor members", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    expect([isCommandName(name), isEventName(name)]).toEqual([false, false]);
  }
  expect(() => QMP_EVENTS.DEVICE_DELETED.read({}, "DEVICE_DELETED")).toThrow(/expected a member "path"/);
});

const RECORDED = sharedFiles("qmp", /^rec-.*\.jsonl$/);

it.skipIf(RECORDED.length === 0)("recorded sessions read by the tables (needs the shared captures)", () => {
  const seen = { commands: 0, events: 0, unknown: 0 };
  for (const file of RECORDED) {
    let asked = "";
    for (const piece of new JsonStream().push(readFileSync(file, "utf8"))) {
      if (piece.kind === "malformed") throw piece.error;
      if (/^\{"execute"/.test(piece.text)) {
        const { name, args } = clientMessageOf(piece.text);
        asked = name;
        if (isCommandName(name)) QMP_COMMANDS[name].takes.read(args, name);
        continue;
      }
      const message = serverMessageOf(piece.text);
      if (message.kind === "event") {
        if (isEventName(message.name)) QMP_EVENTS[message.name].read(message.data, message.name);
        seen[isEventName(message.name) ? "events" : "unknown"]++;
      } else if (message.kind === "return" && isCommandName(asked)) {
        QMP_COMMANDS[asked].returns.read(message.value, asked);
        seen.commands++;
      }
    }
  }
  expect(seen.commands).toBeGreaterThan(20);
  expect(seen.events).toBeGreaterThan(10);
});

it("any JSON is a message or refused by the decoder's own error", () => {
  const name = fc.constantFrom(
    ..."QMP return error event execute arguments id class desc timestamp data".split(" "),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.dictionary(name, tie("tree"), { maxKeys: 4 }),
      fc.array(tie("tree"), { maxLength: 3 }),
    ),
  }));
  const read = (decode: () => void): void => {
    try {
      decode();
    } catch (error) {
      if (!(error instanceof QmpFormatError)) throw error;
      expect(error.message).not.toMatch(/[\n\r]/);
    }
  };
  fc.assert(
    fc.property(tree, fc.constantFrom(...Object.keys(QMP_COMMANDS)), (value, command) => {
      const text = JSON.stringify(value);
      read(() => serverMessageOf(text));
      read(() => clientMessageOf(text));
      if (isCommandName(command)) {
        read(() => QMP_COMMANDS[command].takes.read(value, command));
        read(() => QMP_COMMANDS[command].returns.read(value, command));
      }
      for (const shape of Object.values(QMP_EVENTS)) read(() => shape.read(value, "event"));
    }),
    { numRuns: 2000 },
  );
});
