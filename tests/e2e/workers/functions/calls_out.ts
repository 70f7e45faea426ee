export default async function () {
  const errors: string[] = [];
  for (let i = 0; i < 5; i++) {
    try {
      await fetch("http://127.0.0.1:1/");
    } catch (error) {
      errors.push((error as Error).message.slice(0, 60));
    }
  }
  return errors;
}
