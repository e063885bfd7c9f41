import { describe, expect, it } from "vitest";
import { NotModelled } from "../../not-modelled.ts";
import { lockstepSchema } from "../../scenario/lockstep/lockstep-schema.ts";
import { FakeWorld } from "../../scenario/testing/fake-world.ts";
import type { MemoryBlocks } from "../../scenario/world.ts";
import { main } from "../main.ts";
import { fakeSystem } from "../testing/fake-system.ts";
import type { OpenWorld } from "../worlds.ts";

const HELD = "name: held\nmachine: {memory: 4G}\nsteps: [boot]\n";
const UNMET = `${HELD}expect: {Unaccepted: 0}\n`;

const tidemark = async (line: string, world: OpenWorld = async () => new FakeWorld()) => {
  const system = fakeSystem({ "held.yaml": HELD, "unmet.yaml": UNMET });
  const status = await main(line.split(" "), system, world);
  return { status, out: system.out(), err: system.err() };
};

class Blockless extends FakeWorld {
  override blocks(): MemoryBlocks {
    return { size: 0, blocks: [] };
  }
}
const differing: OpenWorld = async (name) => (name === "linux" ? new Blockless() : new FakeWorld());

describe("the exit status of both worlds says how it went", () => {
  it("0: both held and nothing differs", async () => {
    const { status, out, err } = await tidemark("run held.yaml --world both");
    expect([status, err, out.split("\n")[0]]).toEqual([0, "", "same  held"]);
  });
  it("1: they differ, though both held", async () => {
    const { status, out } = await tidemark("run held.yaml --world both", differing);
    expect(status).toBe(1);
    expect(out).toContain(
      "first difference in line 3, step 1, boot: memory block size\n  model  128M\n  linux  0\n",
    );
    expect(out).toContain("2 differences more: --all-differences shows all");
    expect((await tidemark("run held.yaml --world both --all-differences", differing)).out).not.toContain(
      "more",
    );
  });
  it("1: they do the same, and it did not hold", async () => {
    const { status, out } = await tidemark("run unmet.yaml --world both");
    expect([status, out.split("  ")[0]]).toEqual([1, "same"]);
  });
  it("3: one of them does not model a step, and the line says which", async () => {
    class Partial extends FakeWorld {
      override perform(): never {
        throw new NotModelled("boot of a fake");
      }
    }
    const partial: OpenWorld = async (name) => (name === "linux" ? new Partial() : new FakeWorld());
    expect(await tidemark("run held.yaml --world both", partial)).toEqual({
      status: 3,
      out: "",
      err: "held.yaml:3:9: the linux world cannot play this: not modelled: boot of a fake\n",
    });
  });
});

it("the JSON document has both reports and all differences", async () => {
  const { out } = await tidemark("run held.yaml --world both --json", differing);
  const report = lockstepSchema.parse(JSON.parse(out));
  expect(report.differences.map(({ quantity, about }) => `${quantity} ${about}`)).toEqual([
    "memory block size ",
    "memory block state memory0-15",
    "memory block state memory32-47",
  ]);
});

it.each([
  [
    "run held.yaml --world both --html a.html",
    "--html a.html: expected one world, found both; name one with --world\n",
  ],
  [
    "run held.yaml --world both --trace t",
    "--trace t: expected one world, found both; name one with --world\n",
  ],
  [
    "run held.yaml --all-differences",
    "--all-differences: expected both worlds, found the model world; add --world both\n",
  ],
])("%s is wrong use", async (line, err) => {
  expect(await tidemark(line)).toEqual({ status: 2, out: "", err });
});
