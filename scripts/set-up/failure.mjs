/** Something outside this checkout stopped us: no npm, no permission, no network. One line for the user. */
export class SetUpFailure extends Error {
  name = "SetUpFailure";
}

/** The sources do not bundle. The message has a line for each error, as FILE:LINE:COLUMN. */
export class BuildFailure extends Error {
  name = "BuildFailure";
}

const REFUSED = { EACCES: "no permission", EPERM: "no permission", EROFS: "the file system is read-only" };

/** Turns a refused write into the one line that says so; any other error comes back as it is. */
export const explainRefusedWrite = (error, where) => {
  const reason = REFUSED[error?.code];
  if (reason === undefined && error?.code !== "ENOSPC") return error;
  return new SetUpFailure(
    `cannot write to ${where}: ${reason ?? "no space left"} (set-up writes node_modules/, dist/ and .cache/)`,
    { cause: error },
  );
};
