import fc from "fast-check";
import { expect, it } from "vitest";
import { serverMessageOf } from "./messages.ts";
import { QmpServerSession, type ServerAction } from "./server-session.ts";

const VERSION = { qemu: { major: 7, minor: 2, micro: 0 }, package: "model" };
const READY = '{"execute": "qmp_capabilities"}';

const session = (): QmpServerSession =>
  new QmpServerSession(VERSION, ["query-status", "qom-set", "device_add"], 4096);

const seen = (actions: readonly ServerAction[]): unknown[] =>
  actions.map((action) => {
    if (action.kind === "run") return action.request;
    const message = serverMessageOf(action.line);
    return message.kind === "error" ? [message.id, message.failure.class, message.failure.desc] : message;
  });

const done = (id?: number): unknown => ({ kind: "return", id, value: {} });

it("the greeting offers no capability and says the version", () => {
  expect(session().greeting()).toBe(
    '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0},"package":"model"},"capabilities":[]}}\r\n',
  );
});

it("before the negotiation nothing else is found, and a second one is not either", () => {
  const before = "Expecting capabilities negotiation with 'qmp_capabilities'";
  const after = "Capabilities negotiation is already complete, command ignored";
  const one = session();
  expect(seen(one.receive('{"execute": "query-status", "id": 4}{"execute": "nope"}'))).toEqual([
    [4, "CommandNotFound", before],
    [undefined, "CommandNotFound", before],
  ]);
  expect(one.event("STOP", {}, { seconds: 1, microseconds: 2 })).toBeUndefined();
  expect(seen(one.receive('{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}'))).toEqual([
    [undefined, "GenericError", "capability 'oob' was not offered"],
  ]);
  expect(seen(one.receive(`${READY}${READY}`))).toEqual([done(), [undefined, "CommandNotFound", after]]);
  expect(one.event("STOP", {}, { seconds: 1, microseconds: 2 })).toBe(
    '{"timestamp":{"seconds":1,"microseconds":2},"event":"STOP"}\r\n',
  );
});

it("commands come out with their arguments and ids, in order, and go back as lines", () => {
  const one = session();
  one.receive(READY);
  const sent =
    '{"execute":"query-status","id":null}{"execute":"device_add","arguments":{"driver":"pc-dimm","x":1}}';
  const actions = one.receive(sent);
  expect(seen(actions)).toEqual([
    { name: "query-status", args: {}, id: null },
    { name: "device_add", args: { driver: "pc-dimm", x: 1 }, id: undefined },
  ]);
  expect(one.answer({ name: "query-status", id: null }, { status: "running", running: true })).toBe(
    '{"return":{"status":"running","running":true},"id":null}\r\n',
  );
  expect(one.refuse({ id: 7 }, "DeviceNotFound", "Device 'x' not found")).toBe(
    '{"error":{"class":"DeviceNotFound","desc":"Device \'x\' not found"},"id":7}\r\n',
  );
});

it.each([
  ['{"execute":"stop","id":1}', 1, "CommandNotFound", /The command stop has not been found/],
  ['{"execute":"toString"}', undefined, "CommandNotFound", /toString has not been found/],
  ['{"execute":"query-status","arguments":{"a":1},"id":2}', 2, "GenericError", /no member "a"/],
  ['{"execute":"qom-set","arguments":{"path":"/"},"id":3}', 3, "GenericError", /a member "property"/],
  [
    '{"execute":"device_add","arguments":{"driver":5}}',
    undefined,
    "GenericError",
    /driver: expected a string/,
  ],
  ['{"execute":"query-status","x":1,"id":9}', 9, "GenericError", /found x/],
  ['{"exec-oob":"query-status"}', undefined, "GenericError", /found exec-oob/],
  ['{"execute":1}', undefined, "GenericError", /expected a string/],
  ['{"a":}', undefined, "GenericError", /expected JSON/],
  ["[1]\n", undefined, "GenericError", /expected an object/],
])("%s is refused, and the next command is run", (text, id, errorClass, description) => {
  const one = session();
  one.receive(READY);
  expect(seen(one.receive(text))).toEqual([[id, errorClass, expect.stringMatching(description)]]);
  expect(seen(one.receive('{"execute":"query-status"}'))).toMatchObject([{ name: "query-status" }]);
});

it("any text is answered with lines or run, and nothing is thrown", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      READY,
      '{"execute":',
      '"query-status"',
      ',"arguments":',
      "{}",
      "}",
      '"id":',
      "1",
      "\n",
      "[",
      '"',
    ),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const one = session();
      for (const action of pieces.flatMap((text) => one.receive(text))) {
        if (action.kind === "send") expect(action.line).toMatch(/^[\x20-\x7e]+\r\n$/);
        else expect(action.request.name).toBe("query-status");
      }
    }),
    { numRuns: 2000 },
  );
});
