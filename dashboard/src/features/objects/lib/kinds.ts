// What of an object can be shown, and how it is shown so that nothing in it runs.

export type Kind = "image" | "svg" | "video" | "audio" | "pdf" | "text" | "none";

const IMAGES = /^image\/(png|jpeg|jpg|pjpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)$/;
const IMAGE_NAMES = /^(png|jpe?g|gif|webp|avif|bmp|ico)$/;
const TEXT_NAMES = /^(txt|md|log|csv|tsv|json|jsonl|ya?ml|toml|ini|sql|[cm]?[jt]sx?|css|html?|xml|py|sh|env)$/;
const NO_TYPE = /^(|application\/octet-stream|binary\/octet-stream)$/;

/** By the type that it came with, and by its name where that says nothing. */
export function kindOf(type: string, key: string): Kind {
  const ending = key.slice(key.lastIndexOf(".") + 1).toLowerCase();
  const plain = plainType(type);
  const unknown = NO_TYPE.test(plain);
  if (IMAGES.test(plain) || (unknown && IMAGE_NAMES.test(ending))) return "image";
  if (plain === "image/svg+xml" || (unknown && ending === "svg")) return "svg";
  if (plain.startsWith("video/")) return "video";
  if (plain.startsWith("audio/")) return "audio";
  if (plain === "application/pdf" || (unknown && ending === "pdf")) return "pdf";
  if (/^text\/|json|xml|javascript|yaml|toml|sql|csv/.test(plain)) return "text";
  return unknown && TEXT_NAMES.test(ending) ? "text" : "none";
}

export function plainType(type: string): string {
  return type.split(";")[0]?.trim().toLowerCase() ?? "";
}

/** As an address whose document would be nobody's: a blob's would be the dashboard's own, in a tab of its own too. */
export async function dataUrl(bytes: ArrayBuffer, type: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("unreadable"));
    reader.readAsDataURL(new Blob([bytes], { type }));
  });
}
