import { ProcedureTable } from "../flat/procedure.ts";
import type { Vmm } from "./vmm.ts";

/** All procedures of the VMM. Each step does at most one SEAMCALL. */
export const VMM_PROCEDURES = new ProcedureTable<Vmm>();

/** What a procedure returns: it did its work. */
export const DONE = 0;
/** The guest still holds a page; what was already taken back stays taken back. */
export const REFUSED = 1;
/** The VM has ended. */
export const DEAD = 2;
/** The vCPU goes back with its exit unresolved. */
export const UNRESOLVED = 3;
