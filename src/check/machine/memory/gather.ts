import { assert } from "../../../assert.ts";
import type { Machine } from "../../../machine/machine.ts";
import { fieldsOf, stateOf } from "../../../machine/snapshot.ts";
import { Arena } from "./arena.ts";

/** The same piece of memory as another view, moved. */
const movedView = (view: ArrayBufferView, bytes: Uint8Array): ArrayBufferView => {
  const length =
    "BYTES_PER_ELEMENT" in view ? view.byteLength / Number(view.BYTES_PER_ELEMENT) : view.byteLength;
  const moved: unknown = Reflect.construct(view.constructor, [
    bytes.buffer,
    bytes.byteOffset + view.byteOffset,
    length,
  ]);
  assert(ArrayBuffer.isView(moved), "a view's constructor makes views");
  return moved;
};

/**
 * Moves all flat memory of a machine into one arena, a piece each, in the order in which a walk meets it; it is the same in each
 * machine of a configuration. Whoever keeps an array where no walk finds it goes on with the old one: a test sees to it that
 * nobody does.
 *
 * @param others objects beside the machine whose own arrays are moved as well
 */
export const gather = (machine: Machine, others: readonly object[] = []): Arena => {
  const state = stateOf(machine);
  const objects = [...state.objects, ...others];
  const buffers = new Set(state.buffers);
  for (const other of others)
    for (const [, value] of fieldsOf(other)) if (ArrayBuffer.isView(value)) buffers.add(value.buffer);
  const pieces = new Map([...buffers].map((buffer, piece) => [buffer, piece]));
  const arena = new Arena([...buffers].map(({ byteLength }) => byteLength));
  for (const [buffer, piece] of pieces) arena.bytesOf(piece).set(new Uint8Array(buffer));
  const views = new Map<ArrayBufferView, ArrayBufferView>();
  const moved = (view: ArrayBufferView): ArrayBufferView => {
    const known = views.get(view) ?? movedView(view, arena.bytesOf(pieces.get(view.buffer)!));
    views.set(view, known);
    return known;
  };
  for (const object of objects)
    for (const [key, value] of fieldsOf(object))
      if (ArrayBuffer.isView(value)) Reflect.set(object, key, moved(value));
  for (const map of state.maps)
    for (const [key, value] of map) if (ArrayBuffer.isView(value)) map.set(key, moved(value));
  assert(
    stateOf(machine).buffers.every((buffer) => buffer === arena.buffer),
    "a machine's arrays lie in fields that can be set",
  );
  return arena;
};
