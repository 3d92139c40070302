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
// The notebooks' switches say in words what they do; their label would say something else.
addEventListener("DOMContentLoaded", () => {
  for (const part of document.querySelectorAll("details > summary[aria-label]")) part.removeAttribute("aria-label");
});
addEventListener("load", reachable);
addEventListener("resize", reachable);
