// A router as small as one can be: the path decides the view, and a view is fetched when it is first shown.
import "./style.css";

const view = document.querySelector<HTMLElement>("#view")!;

async function show(path: string): Promise<void> {
  const product = path.match(/^\/products\/(\d+)$/);
  if (path === "/") view.innerHTML = "<h1>Home</h1>";
  else if (path === "/about") view.replaceChildren(await (await import("./about.ts")).about());
  else if (product) view.innerHTML = `<h1>Product ${product[1]}</h1>`;
  else view.innerHTML = "<h1>No such view</h1>";
  document.body.dataset.shown = path;
}

document.addEventListener("click", (event) => {
  const link = (event.target as HTMLElement).closest("a");
  if (!link) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  void show(location.pathname);
});
addEventListener("popstate", () => void show(location.pathname));
await show(location.pathname);
