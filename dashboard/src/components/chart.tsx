// Charts over time. uPlot is loaded with the first one.
import { lazy, Suspense } from "react";
import type { ChartProps } from "@/components/chart-canvas";
import { Skeleton } from "@/components/values";

const Canvas = lazy(() => import("@/components/chart-canvas"));

export type { ChartProps };

export function Chart(props: ChartProps) {
  const height = props.height ?? 180;
  return (
    <div style={{ minHeight: height }}>
      <Suspense fallback={<Skeleton className="h-full min-h-[inherit]" />}>
        <Canvas {...props} height={height} />
      </Suspense>
    </div>
  );
}
