/** Only an address of the web is one that a link may have. */
export function safeUrl(url: string): string | undefined {
  return /^https?:\/\//.test(url) ? url : undefined;
}

/** Where a file of a release is shown. `url`: the release's address, with a slash at its end. */
export function fileUrl(url: string, path: string): string {
  return url.replace(/\/$/, "") + path.split("/").map(encodeURIComponent).join("/");
}

/** An address as people write it: what is beyond ASCII in its own script. */
export function readable(url: string): string {
  try {
    return decodeURI(url);
  } catch {
    return url; // it has a % of its own
  }
}
