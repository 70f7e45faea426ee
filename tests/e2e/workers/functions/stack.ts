// The line below is line 8 of this file, and the log says so.
interface Padding {
  a: string;
  b: string;
}
function inner(_: Padding | null): never {
  //
  throw new Error("where am I");
}
export default function () {
  return inner(null);
}
