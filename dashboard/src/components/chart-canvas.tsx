// uPlot in our colours: lines or stacked areas over time, deploy markers, a click that tells when.
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { formatBytes, formatNumber } from "@/lib/i18n/format";
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
    const tick = format ??
      ((value: number, step: number) => formatNumber(value, { ...digitsOf(step), notation: "compact" }));
    const axis: uPlot.Axis = {
      stroke: colour("muted"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false, size: 0 },
      font: "11px system-ui, sans-serif",
    };
    const options: uPlot.Options = {
      width: target.clientWidth,
      height,
      cursor: { y: false, points: { size: 6 } },
      padding: [10, 26, 0, 0],
      legend: {
        show: true,
        live: true,
        markers: { width: 0, fill: (_, index) => colour(series[index - 1]?.tone ?? "muted") },
      },
      scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [{ ...axis, size: 38, values: (_, ticks, __, ___, step) => timesOf(ticks, step, spoken) }, {
        ...axis,
        size: widthOf,
        ...(format === formatBytes ? { incrs: BINARY } : {}),
        values: (_, ticks, __, ___, step) => onceEach(ticks.map((each) => tick(each, step))),
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
          points: {
            size: 6,
            width: 1,
            stroke: colour(each.tone),
            fill: colour(each.tone),
            filter: (_: uPlot, __: number, all: boolean) => (all ? null : alone(each.values)),
          },
          value: (_: uPlot, value: number | null) => (value === null ? "–" : write(value)),
        })),
      ],
      hooks: {
        // What stands in the legend is of the moment under the pointer: without one there are only names.
        setLegend: [(chart) => chart.root.toggleAttribute("data-idle", typeof chart.cursor.idx !== "number")],
        draw: [(chart) => drawMarkers(chart, markers, colour("warn"))],
        ready: [(chart) => {
          chart.root.toggleAttribute("data-idle", true);
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
  const nothing = series.every(({ values }) => values.every((each) => each === null || each === undefined));
  return (
    <div className="relative w-full text-xs">
      <div ref={place} role="img" aria-label={label} />
      {nothing && (
        <p
          className="pointer-events-none absolute inset-x-0 top-0 grid place-content-center text-sm text-muted"
          style={{ height: height - 38 }}
        >
          {NOTHING[spoken]}
        </p>
      )}
    </div>
  );
}

const NOTHING = { en: "No data in this time", id: "Tidak ada data pada waktu ini" };

/** Which values have none beside them: no line goes there, so that a point has to show them. */
function alone(values: readonly (number | null)[]): number[] {
  const there = (index: number) => typeof values[index] === "number";
  return values.flatMap((_, index) => (there(index) && !there(index - 1) && !there(index + 1) ? [index] : []));
}

const BINARY = Array.from({ length: 51 }, (_, power) => 2 ** power);
const GAP = 10;

/** As many digits as it takes to tell two lines of the grid apart. */
function digitsOf(step: number): Intl.NumberFormatOptions {
  return { maximumFractionDigits: step >= 1 ? 1 : Math.min(6, Math.ceil(-Math.log10(step))) };
}

/** Numbers so small that they are written alike stand there once. */
function onceEach(labels: readonly string[]): string[] {
  return labels.map((label, index) => (index > 0 && labels[index - 1] === label ? "" : label));
}

/** As wide as the longest number, so that the lines begin where the card does. */
function widthOf(chart: uPlot, labels: string[] | null): number {
  chart.ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  const widths = (labels ?? []).map((label) => chart.ctx.measureText(label).width / devicePixelRatio);
  return Math.ceil(Math.max(12, ...widths)) + GAP;
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
