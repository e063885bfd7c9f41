import { expect, it } from "vitest";
import { DeviceLog } from "./device-log.ts";

const LINES = `virtio_mem_unplug_all_request
virtio_mem_unplugged_all
virtio_mem_send_response type=0
virtio_mem_resized_usable_region old_size=0x0new_size=0x10000000
virtio_mem_plug_request addr=0x140000000 nb_blocks=16
virtio_mem_send_response type=0
virtio_mem_unplug_request addr=0x141c00000 nb_blocks=1
virtio_mem_send_response type=2
`;

const ANSWERED = [
  { type: 2, addr: 0, blocks: 0, response: 0 },
  { type: 0, addr: 0x1_4000_0000, blocks: 16, response: 0 },
  { type: 1, addr: 0x1_41c0_0000, blocks: 1, response: 2 },
];

it("each request comes with its answer", () => {
  expect(new DeviceLog().take(LINES)).toEqual(ANSWERED);
});

it("a trace that comes in pieces reads as one that comes whole", () => {
  for (let cut = 0; cut <= LINES.length; cut++) {
    const log = new DeviceLog();
    expect([...log.take(LINES.slice(0, cut)), ...log.take(LINES.slice(cut))]).toEqual(ANSWERED);
  }
});

it("a time stamp in front of a line changes nothing, and a request without an answer is not told of", () => {
  const stamped = LINES.replaceAll(/^(?=.)/gm, "1234@1763740000.123456:").slice(0, -1);
  expect(new DeviceLog().take(stamped)).toEqual(ANSWERED.slice(0, 2));
});
