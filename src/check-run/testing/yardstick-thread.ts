import { UnitAcceptance, type UnitAcceptanceOptions } from "../../check/unit-acceptance.ts";
import { serveSearch } from "../serve-search.ts";

serveSearch((configuration) => {
  if (configuration === "broken") throw new RangeError("a yardstick that is broken");
  const options: UnitAcceptanceOptions = JSON.parse(JSON.stringify(configuration));
  return new UnitAcceptance(options);
});
