// Keeps a page up to date: asks for what changes in it and takes over only what
// is different, so that focus, selection and scrolling stay where they are.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const stale = document.getElementById("stale");
  let timer = 0;
  let running = false;
  let failures = 0;

  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  function morph(old, next) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const end = old.scrollHeight - old.scrollTop - old.clientHeight < 4;
    const log = old.getAttribute("role") === "log";
    children(old, next);
    if (log && end) old.scrollTop = old.scrollHeight;
  }

  function children(old, next) {
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      let found = at;
      while (found && !same(found, child)) found = found.nextSibling;
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

  async function look() {
    if (running || document.hidden) return;
    running = true;
    try {
      const answer = await fetch(main.dataset.live, { headers: { "Bluegreen-Live": "1" }, signal: AbortSignal.timeout(10000) });
      if (answer.status === 401 || answer.redirected) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(answer.statusText);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      const old = document.getElementById("live");
      if (next && old) morph(old, next);
      failures = 0;
      stale.textContent = "";
    } catch {
      failures++;
      if (failures > 1) stale.textContent = stale.dataset.lost;
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
