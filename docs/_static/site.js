// Small things that the theme leaves open.

// Opened from disk, a page may not read others: search shows titles without excerpts there.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// What is wider than its place is moved by keys, too.
function reachable() {
  for (const place of document.querySelectorAll(".table-wrapper, pre, .output")) {
    if (place.scrollWidth > place.clientWidth + 1) place.tabIndex = 0;
    else if (!place.hasAttribute("data-keep")) place.removeAttribute("tabindex");
  }
}
// Long names of settings and files in tables may go on in the next line, after a dot, a slash or an underscore.
function breakable() {
  for (const code of document.querySelectorAll("td code")) {
    const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT), texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      const [first = "", ...rest] = text.data.match(/.+?(?:[./_:=](?=[A-Za-z])|$)/g) ?? [];
      text.replaceWith(first, ...rest.flatMap((part) => [document.createElement("wbr"), part]));
    }
  }
}
// The search page before anything was asked.
function invite() {
  const place = document.getElementById("search-results");
  if (!place || new URLSearchParams(location.search).get("q")) return;
  const said = document.createElement("p");
  said.textContent = "Type what you look for into the field “Search” of the menu, and press Enter.";
  place.append(said);
}
// The notebooks' switches say in words what they do; their label would say something else.
addEventListener("DOMContentLoaded", () => {
  breakable();
  invite();
  for (const part of document.querySelectorAll("details > summary[aria-label]")) part.removeAttribute("aria-label");
});
addEventListener("load", reachable);
addEventListener("resize", reachable);
