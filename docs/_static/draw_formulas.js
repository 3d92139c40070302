// Draws the formulas of a page: <span class="formula"> holds TeX; with data-block on lines of its own.
for (const place of document.querySelectorAll(".formula")) {
  katex.render(place.textContent, place, { displayMode: "block" in place.dataset });
}
