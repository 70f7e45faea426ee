/** Only an address of the web is one that a link may have. */
export function safeUrl(url: string): string | undefined {
  return /^https?:\/\//.test(url) ? url : undefined;
}
