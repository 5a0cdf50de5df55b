// Three small things that htmx leaves to the page. Everything else works without JavaScript.
(() => {
  const SAY_EVERY_MS = 10_000;
  const SLOW_AFTER = 150; // unchanged answers in a row, about five minutes
  let unchanged = 0;
  let tick = 0;
  let said = "";
  let saidAt = 0;

  // A page that nobody sees asks for nothing, and one where nothing happens asks less often.
  document.addEventListener("htmx:beforeRequest", (event) => {
    tick += 1;
    if (document.hidden || (unchanged > SLOW_AFTER && tick % 5)) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => { unchanged = 0; });

  const trouble = () => document.getElementById("trouble");
  document.addEventListener("htmx:afterRequest", (event) => {
    const status = event.detail.xhr.status;
    unchanged = status === 304 ? unchanged + 1 : 0;
    if (trouble()) trouble().hidden = status >= 200 && status < 400;
  });

  // What a person has unfolded stays unfolded when the part around it is replaced.
  let open = [];
  document.addEventListener("htmx:beforeSwap", () => {
    open = [...document.querySelectorAll("details[id][open]")].map((details) => details.id);
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    announce();
  });

  // Screen readers hear a change at most every ten seconds, not every two.
  function announce() {
    const text = document.querySelector("[data-say]")?.dataset.say ?? "";
    if (!text || text === said || Date.now() - saidAt < SAY_EVERY_MS) return;
    said = text;
    saidAt = Date.now();
    document.getElementById("announcer").textContent = text;
  }
})();
