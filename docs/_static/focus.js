// Code that is wider than the screen can be scrolled with the keys.
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("pre")) block.tabIndex = 0;
});
