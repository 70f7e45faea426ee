// Puts and gets an object of so many megabytes, as a stream both ways, and tells how long it took.
interface Objects {
  put(key: string, value: ReadableStream<Uint8Array>): Promise<unknown>;
  get(key: string): Promise<{ body: ReadableStream<Uint8Array> } | null>;
}

const MEGABYTE = new Uint8Array(1_000_000).fill(7);

export default async function ({ s3 }: { s3: Objects }, { put, get }: { put?: string; get?: string }) {
  const began = performance.now();
  let bytes = 0;
  if (put !== undefined) {
    const chunks = Iterator.from(Array(Number(put)).keys()).map((number) => {
      bytes += MEGABYTE.length;
      const chunk = MEGABYTE.slice();
      chunk[0] = number;
      return chunk;
    });
    await s3.put("bench/large", ReadableStream.from(chunks));
  }
  if (get !== undefined) {
    for await (const chunk of (await s3.get("bench/large"))!.body) bytes += chunk.length;
  }
  return { seconds: (performance.now() - began) / 1000, bytes };
}
