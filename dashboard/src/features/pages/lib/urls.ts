/** Only an address of the web is one that a link may have. */
export function safeUrl(url: string): string | undefined {
  return /^https?:\/\//.test(url) ? url : undefined;
}

/** Where a file of a release is shown. `url`: the release's address, with a slash at its end. */
export function fileUrl(url: string, path: string): string {
  return url.replace(/\/$/, "") + path.split("/").map(encodeURIComponent).join("/");
}
