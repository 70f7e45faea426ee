export default async function () {
  for (let i = 0; i < 10_000; i++) setInterval(() => {}, 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return "still here";
}
