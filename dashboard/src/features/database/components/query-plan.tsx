// EXPLAIN QUERY PLAN as the tree that it is.
import type { Row } from "@/features/database/lib/values";
import { classes } from "@/lib/classes";

export function QueryPlan({ rows }: { rows: readonly Row[] }) {
  return <Steps rows={rows} parent={0} />;
}

function Steps({ rows, parent }: { rows: readonly Row[]; parent: unknown }) {
  const steps = rows.filter((row) => row.parent === parent && row.id !== parent);
  if (steps.length === 0) return null;
  return (
    <ul className={classes("grid gap-1 font-mono text-xs", parent !== 0 && "mt-1 border-l pl-4")}>
      {steps.map((step) => (
        <li key={String(step.id)}>
          {/* A scan of a whole table is what an index would spare. */}
          <span className={classes(/^SCAN /.test(String(step.detail)) && "text-warn")}>{String(step.detail)}</span>
          <Steps rows={rows} parent={step.id} />
        </li>
      ))}
    </ul>
  );
}
