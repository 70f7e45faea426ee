// The layers as a check: app → features → components → lib → api; a feature knows no other one, and what it tells the
// shell (index.ts, part of the first load) brings nothing but labels.ts with it.
import { walk } from "./files.ts";

const SOURCE = new URL("../src/", import.meta.url);
const LAYERS = ["app", "features", "components", "lib", "api"];
const IMPORT = /(?:from|import)\s*(\(?)\s*"(@\/[^"]+|\.[^"]*)"/g;

const faults: string[] = [];
for await (const file of walk(SOURCE)) {
  if (!/\.tsx?$/.test(file.pathname)) continue;
  const place = file.href.slice(SOURCE.href.length);
  const [layer = "", feature = ""] = place.split("/");
  if (!/^[a-z0-9-]+(\.d)?\.tsx?$/.test(place.slice(place.lastIndexOf("/") + 1))) {
    faults.push(`${place}: names of files are kebab-case`);
  }
  for (const [, later = "", target = ""] of (await Deno.readTextFile(file)).matchAll(IMPORT)) {
    if (target.startsWith(".")) {
      faults.push(`${place}: write ${target} as @/…, so that it says where it is`);
      continue;
    }
    const [, to = "", other = ""] = target.split("/");
    if (LAYERS.indexOf(to) < LAYERS.indexOf(layer)) faults.push(`${place}: ${layer} may not import ${target}`);
    if (layer === "features" && to === "features" && other !== feature) {
      faults.push(`${place}: the feature ${feature} may not import the feature ${other}`);
    }
    const first = layer === "features" && /^features\/[^/]+\/(index|labels)\.ts$/.test(place);
    if (first && to === "features" && later === "" && !target.endsWith("/labels")) {
      faults.push(`${place}: it is part of the first load; ${target} is not`);
    }
  }
}
for (const fault of faults) console.error(fault);
if (faults.length > 0) Deno.exit(1);
