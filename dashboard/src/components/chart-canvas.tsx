// uPlot in our colours: lines or stacked areas over time, deploy markers, a click that tells when.
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { formatNumber } from "@/lib/i18n/format";
import { useLanguage } from "@/lib/i18n/language";
import { useTheme } from "@/lib/theme";

export type SeriesTone = "accent" | "ok" | "warn" | "bad" | "muted";

export interface ChartProps {
  /** What it shows, for those who do not see it. */
  label: string;
  /** Seconds since 1970, going up. */
  times: readonly number[];
  series: readonly { label: string; tone: SeriesTone; values: readonly (number | null)[]; fill?: boolean }[];
  height?: number;
  format?: (value: number) => string;
  /** Lines across: deploys, alerts. */
  markers?: readonly { time: number; label: string }[];
  /** A click on a moment: the seconds at the pointer. */
  onPick?: (time: number) => void;
}

export default function ChartCanvas({ label, times, series, height = 180, format, markers = [], onPick }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const { shown } = useTheme();
  const spoken = useLanguage();
  useEffect(() => {
    const target = place.current;
    if (target === null) return;
    const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    const write = format ?? ((value: number) => formatNumber(value, { maximumFractionDigits: 2, notation: "compact" }));
    const axis: uPlot.Axis = {
      stroke: colour("muted"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const options: uPlot.Options = {
      width: target.clientWidth,
      height,
      cursor: { y: false, points: { size: 6 } },
      legend: { show: true, live: true },
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [{ ...axis, values: (_, ticks, __, ___, step) => timesOf(ticks, step, spoken) }, {
        ...axis,
        size: 56,
        values: (_, ticks) => ticks.map(write),
      }],
      series: [
        {
          label: { en: "Time", id: "Waktu" }[spoken],
          value: (_, time) => (time ? new Date(time * 1000).toLocaleString(spoken) : "–"),
        },
        ...series.map((each) => ({
          label: each.label,
          stroke: colour(each.tone),
          width: 1.5,
          ...(each.fill ? { fill: `color-mix(in srgb, ${colour(each.tone)} 14%, transparent)` } : {}),
          points: { size: 4 }, // drawn where they stand alone
          value: (_: uPlot, value: number | null) => (value === null ? "–" : write(value)),
        })),
      ],
      hooks: {
        draw: [(chart) => drawMarkers(chart, markers, colour("warn"))],
        ready: [(chart) => {
          chart.over.style.cursor = onPick ? "pointer" : "default";
          chart.over.addEventListener("click", () => {
            const at = chart.cursor.idx;
            const time = typeof at === "number" ? times[at] : undefined;
            if (time !== undefined) onPick?.(time);
          });
        }],
      },
    };
    const data = [times, ...series.map((each) => each.values)] as unknown as uPlot.AlignedData;
    const chart = new uPlot(options, data, target);
    const observer = new ResizeObserver(() => chart.setSize({ width: target.clientWidth, height }));
    observer.observe(target);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [times, series, height, format, markers, onPick, shown, spoken]);
  return (
    <div
      ref={place}
      role="img"
      aria-label={label}
      className="w-full text-xs [&_.u-legend]:text-left [&_.u-legend]:text-muted"
    />
  );
}

/** As the language writes them; the date stands where a day begins. */
function timesOf(ticks: readonly number[], step: number, language: string): string[] {
  const clock: Intl.DateTimeFormatOptions = step < 60
    ? { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
    : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  let before = "";
  return ticks.map((tick) => {
    const at = new Date(tick * 1000);
    const day = at.toLocaleDateString(language, { day: "numeric", month: "short" });
    const first = day !== before;
    before = day;
    if (step >= 86_400) return day;
    const time = at.toLocaleTimeString(language, clock);
    return first ? `${time}\n${day}` : time;
  });
}

function drawMarkers(chart: uPlot, markers: ChartProps["markers"] & object, colour: string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  let drawn = -1;
  let free = 0; // labels that would lie on one another are left out
  for (const { time, label } of markers) {
    const x = Math.round(chart.valToPos(time, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    if (x !== drawn) {
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      drawn = x;
    }
    const end = x + ctx.measureText(label).width + 12 * devicePixelRatio;
    if (x < free || end > bbox.left + bbox.width) continue;
    ctx.fillText(label, x + 4 * devicePixelRatio, bbox.top + 11 * devicePixelRatio);
    free = end;
  }
  ctx.restore();
}
