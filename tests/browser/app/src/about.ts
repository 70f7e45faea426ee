import logo from "./logo.svg?no-inline";

export function about(): Promise<HTMLElement> {
  const part = document.createElement("section");
  const picture = new Image();
  picture.alt = "logo";
  picture.src = logo;
  part.innerHTML = "<h1>About</h1>";
  part.append(picture);
  return picture.decode().then(() => part);
}
