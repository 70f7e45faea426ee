// Filters that are part of the address, so that a view can be sent to others.
import { useSearchParams } from "react-router";

/** `const [filters, set] = useFilters(["text", "actor"]); set({ text: "x" })`; what is empty is left out. */
export function useFilters<Name extends string>(
  names: readonly Name[],
): [Partial<Record<Name, string>>, (change: Partial<Record<Name, string>>) => void] {
  const [search, setSearch] = useSearchParams();
  const filters: Partial<Record<Name, string>> = {};
  for (const name of names) {
    const value = search.get(name);
    if (value !== null) filters[name] = value;
  }
  const set = (change: Partial<Record<Name, string>>) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      for (const [name, value] of Object.entries(change)) {
        if (value) next.set(name, String(value));
        else next.delete(name);
      }
      return next;
    }, { replace: true });
  return [filters, set];
}
