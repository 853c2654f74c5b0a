// What is wider than the screen can be scrolled with the keys.
function allowFocus() {
  for (const block of document.querySelectorAll("pre, .math-wrapper, .table-wrapper")) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
    else block.removeAttribute("tabindex");
  }
}
addEventListener("load", allowFocus);
addEventListener("resize", allowFocus);
