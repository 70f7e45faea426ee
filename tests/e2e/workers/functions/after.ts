let done = 0;
export default function ({ waitUntil }: { waitUntil: (promise: Promise<unknown>) => void }, { count }: { count?: string }) {
  if (count !== undefined) return done;
  waitUntil(new Promise<void>((resolve) => setTimeout(() => (done++, resolve()), 30)));
  return "answered";
}
