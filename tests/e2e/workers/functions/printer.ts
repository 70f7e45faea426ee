export default function () {
  for (let i = 0;; i++) console.log("a line of what nobody reads", i);
}
