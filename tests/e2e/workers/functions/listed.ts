export default async () => {
  const other = await fetch("https://example.org/").then((r) => r.status, (e) => e.name);
  const listed = await Deno.permissions.query({ name: "net", host: "example.com:443" });
  return { other, listed: listed.state };
};
