// Keeps a page up to date: asks for what changes in it and takes over only what
// is different, so that focus, selection and scrolling stay where they are. No form
// is sent twice.
"use strict";
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault(); // a second click
  event.target.dataset.sent = "yes";
});

(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const stale = document.getElementById("stale");
  let timer = 0;
  let overdue = 0;
  let running = false;
  let newest = new Date();

  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  function morph(old, next) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const log = old.getAttribute("role") === "log"; // the only ones whose layout is worth asking for
    const end = log && old.scrollHeight - old.scrollTop - old.clientHeight < 4;
    children(old, next);
    if (end) old.scrollTop = old.scrollHeight;
  }

  // What has an id and goes on stays where it is: nothing before it is looked for
  // behind it.
  function children(old, next) {
    const kept = new Set([...next.childNodes].map((child) => child.id || ""));
    kept.delete("");
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      let found = at;
      while (found && !same(found, child)) found = kept.has(found.id) ? null : found.nextSibling;
      if (found) {
        while (at !== found) at = drop(at);
        morph(found, child);
        at = found.nextSibling;
      } else {
        old.insertBefore(document.importNode(child, true), at);
      }
    }
    while (at) at = drop(at);
  }

  function drop(node) {
    const next = node.nextSibling;
    node.remove();
    return next;
  }

  // renew takes over what is new. Who was at something that cannot be used any
  // more goes on at the content, not at the top of the page.
  function renew(old, next) {
    const at = document.activeElement;
    morph(old, next);
    if (document.activeElement === at || !at.id) return;
    document.getElementById(at.id)?.focus({ preventScroll: true });
    if (document.activeElement === document.body) main.focus({ preventScroll: true });
  }

  function lost() {
    main.classList.add("old");
    stale.textContent = stale.dataset.lost.replace("{time}", newest.toLocaleTimeString(document.documentElement.lang, { hour12: false }));
  }

  function found() {
    clearTimeout(overdue);
    overdue = 0;
    newest = new Date();
    main.classList.remove("old");
    stale.textContent = "";
  }

  async function look() {
    if (running || document.hidden) return;
    running = true;
    overdue ||= setTimeout(lost, 5000);
    try {
      const answer = await fetch(main.dataset.live, { headers: { "Bluegreen-Live": "1" }, signal: AbortSignal.timeout(10000) });
      if (answer.status === 401 || answer.status === 404 || answer.redirected) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(answer.statusText);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      const old = document.getElementById("live");
      if (next && old) renew(old, next);
      found();
    } catch {
      // It is tried again, and said when it takes too long.
    } finally {
      running = false;
      again();
    }
  }

  function again() {
    clearTimeout(timer);
    const live = document.getElementById("live");
    if (!document.hidden) timer = setTimeout(look, Number(live && live.dataset.every) || 2000);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  for (const log of document.querySelectorAll("[role=log]")) log.scrollTop = log.scrollHeight;
  again();
})();
