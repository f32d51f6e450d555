"use strict";
const film = document.querySelector("video");
for (const link of document.querySelectorAll("a[data-start]")) {
  link.addEventListener("click", (event) => {
    // Without a player that works, the link itself leads to the place in the film.
    if (!film || film.error || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    film.currentTime = Number(link.dataset.start);
    film.scrollIntoView({ block: "nearest" });
    film.play().catch(() => film.focus());
  });
}
