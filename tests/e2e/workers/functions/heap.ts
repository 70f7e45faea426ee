export default async function () {
  const kept: unknown[] = [];
  while (true) {
    for (let i = 0; i < 10_000; i++) kept.push({ i, text: `${i}` });
    await null;
  }
}
