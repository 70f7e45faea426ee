// Shows only the operations that have all the words of the filter. Without it the page is complete.
const input = document.getElementById("filter");
input.hidden = false;
input.addEventListener("input", () => {
  const words = input.value.toLowerCase().split(/\s+/);
  for (const article of document.querySelectorAll("article")) {
    const text = article.textContent.toLowerCase();
    article.hidden = !words.every((word) => text.includes(word));
    const link = document.querySelector(`nav a[href="#${CSS.escape(article.id)}"]`);
    if (link) link.parentElement.hidden = article.hidden;
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = !section.querySelector("article:not([hidden]), li:not([hidden])");
  }
});
