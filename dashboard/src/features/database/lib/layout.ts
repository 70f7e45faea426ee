// Where tables stand in the diagram: in layers, what is referred to left of what refers to it.
import type { ColumnEntry } from "@/api/generated/api";
import type { TableSchema } from "@/features/database/lib/schema";

export const WIDTH = 220;
export const HEAD = 30;
export const LINE = 20;
export const SHOWN = 24;
const GAP_X = 90;
const GAP_Y = 28;
const LONE_COLUMNS = 4;

export interface Place {
  table: TableSchema;
  /** Those that are drawn; so many more are not. */
  columns: readonly ColumnEntry[];
  hidden: number;
  x: number;
  y: number;
  height: number;
}

export interface Relation {
  id: string;
  from: Place;
  to: Place;
  fromY: number;
  toY: number;
  label: string;
}

export interface Layout {
  places: Place[];
  relations: Relation[];
  width: number;
  height: number;
}

/** What is drawn of a table: all columns up to a bound, or the keys alone. */
function drawn(table: TableSchema, keysOnly: boolean): Omit<Place, "x" | "y"> {
  const referring = new Set(table.foreignKeys.flatMap((key) => key.columns));
  const wanted = keysOnly
    ? table.columns.filter((column) => column.primaryKey > 0 || referring.has(column.name))
    : table.columns;
  const columns = wanted.slice(0, SHOWN);
  const hidden = table.columns.length - columns.length;
  return { table, columns, hidden, height: HEAD + LINE * columns.length + (hidden > 0 ? LINE : 0) + 6 };
}

export function layOut(tables: readonly TableSchema[], keysOnly: boolean): Layout {
  const byName = new Map(tables.map((table) => [table.name.toLowerCase(), table]));
  const parents = new Map(tables.map((table) => [
    table,
    table.foreignKeys.map((key) => byName.get(key.table.toLowerCase())).filter((each) =>
      each !== undefined && each !== table
    ) as TableSchema[],
  ]));
  const referred = new Set([...parents.values()].flat());
  const related = tables.filter((table) => referred.has(table) || (parents.get(table)?.length ?? 0) > 0);
  const lone = tables.filter((table) => !related.includes(table));

  const depths = new Map<TableSchema, number>();
  const depth = (table: TableSchema, above: ReadonlySet<TableSchema>): number => {
    const known = depths.get(table);
    if (known !== undefined) return known;
    const inside = new Set([...above, table]);
    let deepest = 0;
    // Whoever refers to each other in a ring: the ring is cut where it closes.
    for (const each of parents.get(table) ?? []) {
      if (!inside.has(each)) deepest = Math.max(deepest, depth(each, inside) + 1);
    }
    depths.set(table, deepest);
    return deepest;
  };
  const layers: TableSchema[][] = [];
  for (const table of related) (layers[depth(table, new Set())] ??= []).push(table);

  const places = new Map<TableSchema, Place>();
  let x = 0;
  let tallest = 0;
  for (const layer of layers) {
    if (layer === undefined) continue;
    const middle = (table: TableSchema) => {
      const above = (parents.get(table) ?? []).map((each) => places.get(each)).filter((each) => each !== undefined);
      return above.length === 0 ? 0 : above.reduce((sum, each) => sum + each.y + each.height / 2, 0) / above.length;
    };
    let y = 0;
    for (const table of [...layer].sort((a, b) => middle(a) - middle(b) || a.name.localeCompare(b.name))) {
      const place = { ...drawn(table, keysOnly), x, y };
      places.set(table, place);
      y += place.height + GAP_Y;
    }
    tallest = Math.max(tallest, y);
    x += WIDTH + GAP_X;
  }
  let width = Math.max(0, x - GAP_X);

  const columnHeights = Array.from({ length: LONE_COLUMNS }, () => tallest === 0 ? 0 : tallest + GAP_Y);
  for (const table of lone) {
    const shortest = columnHeights.indexOf(Math.min(...columnHeights));
    const y = columnHeights[shortest] ?? 0;
    const place = { ...drawn(table, keysOnly), x: shortest * (WIDTH + GAP_Y), y };
    places.set(table, place);
    columnHeights[shortest] = y + place.height + GAP_Y;
    width = Math.max(width, place.x + WIDTH);
    tallest = Math.max(tallest, y + place.height);
  }
  return { places: [...places.values()], relations: relationsOf([...places.values()]), width, height: tallest };
}

function relationsOf(places: readonly Place[]): Relation[] {
  const byName = new Map(places.map((place) => [place.table.name.toLowerCase(), place]));
  return places.flatMap((from) =>
    from.table.foreignKeys.flatMap((key, index) => {
      const to = byName.get(key.table.toLowerCase());
      if (to === undefined) return [];
      const referred = key.references[0] ?? to.table.columns.find((column) => column.primaryKey === 1)?.name;
      return [{
        id: `${from.table.name}/${index}`,
        from,
        to,
        fromY: from.y + lineOf(from, key.columns[0]),
        toY: to.y + lineOf(to, referred ?? undefined),
        label: `${from.table.name}.${key.columns.join(", ")} → ${to.table.name}`,
      }];
    })
  );
}

function lineOf(place: Place, column: string | undefined): number {
  const index = place.columns.findIndex((each) => each.name.toLowerCase() === column?.toLowerCase());
  return HEAD + LINE * (Math.max(index, 0) + 0.5) + 2;
}

/** From the right edge to the left one, or around on the same side. */
export function curve({ from, to, fromY, toY }: Relation): string {
  const right = from.x >= to.x + WIDTH;
  const startX = right ? from.x : from.x + WIDTH;
  const endX = right || from.x === to.x ? to.x + WIDTH : to.x;
  const pull = from.x === to.x ? 60 : Math.max(40, Math.abs(startX - endX) / 2);
  const endPull = right || from.x === to.x ? pull : -pull;
  return `M ${startX} ${fromY} C ${startX + (right ? -pull : pull)} ${fromY}, ${endX + endPull} ${toY}, ${endX} ${toY}`;
}
