export default async () => await fetch("https://example.com/").then((r) => r.status, (e) => e.name);
