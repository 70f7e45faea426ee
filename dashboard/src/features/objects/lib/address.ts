// The address of an object below /admin. A key that an URL would change on its way goes into the query.
import { apiUrl } from "@/lib/api/client";

export function objectUrl(project: string, bucket: string, key: string): string {
  const parts = key.split("/");
  const changed = key.startsWith("/") || parts.some((part) => part === "" || part === "." || part === "..");
  const name = "GET /admin/s3/buckets/{bucket}/objects/{key}";
  if (!changed) return apiUrl(name, { path: { bucket, key }, query: { project } });
  return `${apiUrl(name, { path: { bucket, key: "" } })}?${new URLSearchParams({ key, project })}`;
}
