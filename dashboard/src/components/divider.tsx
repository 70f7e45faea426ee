// The line between a panel and what is beside it: dragged, or moved by the arrow keys.
import { classes } from "@/lib/classes";
import type { Panel } from "@/lib/panels";

const STEP = 16;

/** `side`: where the panel is, seen from the line. Twice clicked, the panel has the width `first` again. */
export function Divider({ label, panel, side, first, className }: {
  label: string;
  panel: Panel;
  side: "left" | "right";
  first: number;
  className?: string;
}) {
  const { width, least, most, resize } = panel;
  const outward = side === "left" ? 1 : -1;
  return (
    <div
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation="vertical"
      aria-valuenow={width}
      aria-valuemin={least}
      aria-valuemax={most}
      className={classes(
        "group cursor-col-resize touch-none place-items-center rounded-sm outline-offset-[-2px]",
        className,
      )}
      onDoubleClick={() => resize(first)}
      onKeyDown={(event) => {
        const wanted = {
          ArrowRight: width + STEP * outward,
          ArrowLeft: width - STEP * outward,
          Home: least,
          End: most,
        }[event.key];
        if (wanted === undefined) return;
        event.preventDefault();
        resize(wanted);
      }}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        const { left, width: own } = event.currentTarget.getBoundingClientRect();
        resize(width + (event.clientX - left - own / 2) * outward);
      }}
    >
      <span
        aria-hidden
        className="block h-8 w-1 rounded-full bg-line-strong transition-colors group-hover:bg-accent group-focus-visible:bg-accent"
      />
    </div>
  );
}
