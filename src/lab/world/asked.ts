import { WorldUnavailable } from "../../scenario/world.ts";
import { LabError } from "../lab-error.ts";
import type { LabSession } from "../session/lab-session.ts";

/** What the guest answers; undefined if there is none any more that could. */
export const asked = async <T>(
  session: LabSession | undefined,
  ask: (session: LabSession) => Promise<T>,
): Promise<T | undefined> => {
  if (session === undefined || session.over) return undefined;
  try {
    return await ask(session);
  } catch (error) {
    if (await session.isOver()) return undefined;
    throw error;
  }
};

/** What is missing on this machine keeps the world from being run; the message says what. */
export const asUnavailable = async <T>(deed: () => Promise<T>): Promise<T> => {
  try {
    return await deed();
  } catch (error) {
    if (error instanceof LabError) throw new WorldUnavailable(error.message, { cause: error });
    throw error;
  }
};
