export default function () {
  return { message: "Hello" };
}
