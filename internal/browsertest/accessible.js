() => {
  const problems = [];
  const say = (e, text) => problems.push(`${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""}.${e.getAttribute("class") ?? ""}: ${text}`);
  const colour = (text) => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return { r: parts[0], g: parts[1], b: parts[2], a: parts[3] ?? 1 };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const background = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    const page = matchMedia("(prefers-color-scheme: dark)").matches ? 18 : 255;
    return layers.reverse().reduce((under, top) => over(top, under), { r: page, g: page, b: page, a: 1 });
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden" && !e.closest(".hear");

  for (const e of document.body.querySelectorAll("*")) {
    const text = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.nodeValue.trim());
    if (!text || !seen(e) || e.closest("script, noscript")) continue;
    const style = getComputedStyle(e);
    let under = background(e);
    let ink = colour(e.namespaceURI.endsWith("svg") ? style.fill : style.color);
    if (e.namespaceURI.endsWith("svg")) under = colour(getComputedStyle(e.parentElement.querySelector("circle, path")).fill);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = contrast(over(ink, under), under);
    if (ratio < (large ? 3 : 4.5)) say(e, `contrast ${ratio.toFixed(2)} of "${e.textContent.trim().slice(0, 30)}"`);
  }

  const named = (e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim() || e.labels?.length || e.type === "hidden";
  for (const e of document.querySelectorAll("a, button, input, select, textarea, [role=region], [role=img], nav, [role=log]")) if (!named(e)) say(e, "has no name");
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of (e.getAttribute("aria-labelledby") ?? e.getAttribute("aria-describedby")).split(" ")) if (!document.getElementById(id)) say(e, `refers to #${id}, which is not there`);
  for (const e of document.querySelectorAll("svg")) if (!e.getAttribute("aria-label") && e.getAttribute("aria-hidden") !== "true") say(e, "is neither named nor hidden");
  for (const e of document.querySelectorAll("table")) {
    if (!e.caption) say(e, "has no caption");
    for (const th of e.querySelectorAll("th")) if (!th.scope) say(th, "has no scope");
  }
  const ids = new Set();
  for (const e of document.querySelectorAll("[id]")) ids.has(e.id) ? say(e, "has an id that another has") : ids.add(e.id);
  let level = 0;
  for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
    const now = Number(e.tagName[1]);
    if (now > level + 1) say(e, `follows a heading of level ${level}`);
    level = now;
  }
  if (document.querySelectorAll("h1").length !== 1) problems.push("there is not exactly one h1");
  for (const name of ["header", "main", "footer"]) if (!document.querySelector(name)) problems.push(`there is no ${name}`);
  if (!document.documentElement.lang || !document.title) problems.push("the page has no language or no title");
  const skip = document.querySelector("a");
  if (!document.querySelector(skip.getAttribute("href"))) say(skip, "does not skip to the content");
  if (document.documentElement.scrollWidth > innerWidth) problems.push(`the page is ${document.documentElement.scrollWidth} wide in a window of ${innerWidth}`);
  for (const e of document.querySelectorAll("a.button, button, input:not([type=hidden])"))
    if (seen(e) && e.getBoundingClientRect().height < 24) say(e, `is ${e.getBoundingClientRect().height} high, less than 24 (WCAG 2.2, 2.5.8)`);
  return problems;
}
