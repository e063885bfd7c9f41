import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import { type AptSource, parseDeb822Sources, parseOneLineSources } from "./apt-sources.ts";
import { entriesOf } from "./kernel-files.ts";

/** A file's text; empty if it is not there, or is not for our eyes: apt itself reads it then, and we do without. */
const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** The sources that the machine's apt uses. @param etc its folder of settings */
export const machineSources = (etc = "/etc/apt"): AptSource[] => {
  const folder = join(etc, "sources.list.d");
  const texts = (ending: string): string =>
    entriesOf(folder)
      .filter((name) => name.endsWith(ending))
      .map((name) => textOf(join(folder, name)))
      .join("\n\n");
  return [
    ...parseOneLineSources(`${textOf(join(etc, "sources.list"))}\n${texts(".list")}`),
    ...parseDeb822Sources(texts(".sources")),
  ];
};

const KEYRINGS = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"];

/** Debian's own keys. @throws LabError if the machine does not have them */
export const debianKeyring = (folder = "/usr/share/keyrings"): string => {
  const found = KEYRINGS.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined)
    throw new LabError(`Debian's keys are not in ${folder}: run apt-get install debian-archive-keyring`);
  return found;
};
