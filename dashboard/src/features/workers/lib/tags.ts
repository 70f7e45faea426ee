// Tags of workers, as they are typed and shown.

const TAG = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** What is typed, between spaces or commas, each once. */
export function tagsOf(text: string): string[] {
  return [...new Set(text.toLowerCase().split(/[\s,]+/).filter(Boolean))];
}

export function areTags(tags: readonly string[]): boolean {
  return tags.every((tag) => TAG.test(tag)) && tags.length <= 20;
}
