// Where the focus goes back to when something that was opened closes: Radix only knows of its own triggers, and most
// dialogs here are opened by state.
const KEPT = 8;
const LAYERS = "[role=dialog], [role=menu], [role=listbox]";
const before: HTMLElement[] = [];

addEventListener("focusin", ({ target }) => {
  const last = before.at(-1);
  if (!(target instanceof HTMLElement) || target === last) return;
  // Of what somebody walks through inside a dialog only the last is kept: where they came from must stay known.
  const layer = target.closest(LAYERS);
  if (layer !== null && last?.closest(LAYERS) === layer) before.pop();
  before.push(target);
  if (before.length > KEPT) before.shift();
});

/** For `onCloseAutoFocus` of a dialog: to whatever had the focus before it and is still there. */
export function giveFocusBack(event: Event): void {
  event.preventDefault();
  const closed = event.currentTarget instanceof Element ? event.currentTarget : null;
  const here = document.activeElement;
  if (here !== null && here !== document.body && !closed?.contains(here)) return; // somebody took it already
  before.findLast((each) => each.isConnected && !closed?.contains(each))?.focus({ preventScroll: true });
}
