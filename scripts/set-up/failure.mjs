/** Something outside this checkout stopped us: no npm, no permission, no network. One line for the user. */
export class SetUpFailure extends Error {
  name = "SetUpFailure";
}

/** The sources do not bundle. The message has a line for each error, as FILE:LINE:COLUMN. */
export class BuildFailure extends Error {
  name = "BuildFailure";
}

const REFUSED = {
  EACCES: "no permission",
  EPERM: "no permission",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left",
};

/** A file operation that the system refused, as the one line that says so; any other error as it is. */
export const explained = (error) => {
  const reason = REFUSED[error?.code];
  if (reason === undefined || error.path === undefined) return error;
  const needs = "a checkout is worked in: node_modules/, dist/ and .cache/ are written";
  return new SetUpFailure(`cannot use ${error.path}: ${reason} (${needs})`, { cause: error });
};
