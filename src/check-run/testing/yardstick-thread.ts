import { UnitAcceptance } from "../../check/testing/unit-acceptance.ts";
import { serveSearch } from "../serve-search.ts";

serveSearch((configuration) => {
  if (configuration === "broken") throw new RangeError("a yardstick that is broken");
  return new UnitAcceptance(JSON.parse(String(configuration)));
});
