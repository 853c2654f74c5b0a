// What has more content than room can be scrolled with the keys.
function allowFocus() {
  for (const block of document.querySelectorAll("pre, .math-wrapper, .table-wrapper")) {
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = block;
    if (scrollWidth > clientWidth || scrollHeight > clientHeight) block.tabIndex = 0;
    else block.removeAttribute("tabindex");
  }
}
addEventListener("load", allowFocus);
addEventListener("resize", allowFocus);
