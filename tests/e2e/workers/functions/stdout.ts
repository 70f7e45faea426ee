import fs from "node:fs";
const line = new TextEncoder().encode("x".repeat(1000) + "\n");
export default function () {
  while (true) fs.writeSync(1, line);
}
