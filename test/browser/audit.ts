/** What is wrong with a page in the eyes of who uses it (WCAG 2.2), as a script that runs inside of it. */

/** An expression whose value is a list of complaints, empty for a good page. */
export const audit = `(() => {
  const complaints = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const about = (element) => element.outerHTML.slice(0, 80);

  // 1.3.1, 2.4.1: one of each landmark, one heading of the first rank, no rank left out.
  for (const [what, selector] of [["main", "main"], ["banner", "body > header"], ["contentinfo", "body > footer"], ["h1", "h1"]]) {
    const count = all(selector).length;
    if (count !== 1) complaints.push(count + " × " + what);
  }
  let rank = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.tagName[1]);
    if (next > rank + 1) complaints.push("h" + next + " after h" + rank + ": " + about(heading));
    rank = next;
  }

  // 1.1.1, 2.4.4, 3.1.1: alternatives, names, language.
  for (const image of all("img")) if (!image.hasAttribute("alt")) complaints.push("no alt: " + about(image));
  for (const link of all("a")) if (!(link.getAttribute("aria-label") || link.innerText.trim())) complaints.push("no name: " + about(link));
  for (const field of all("input, select, textarea")) if (shown(field) && !field.labels?.[0]?.innerText.trim()) complaints.push("no label: " + about(field));
  if (!document.documentElement.lang) complaints.push("no language");

  // 1.4.3: text stands out from what is behind it.
  const parse = (color) => { const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
  const luminance = ({ r, g, b }) => [r, g, b]
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.a === 1) return color;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.tagName === "SCRIPT" || !shown(element)) continue;
    const pair = [parse(getComputedStyle(element).color), behind(element)].map(luminance).sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) complaints.push("contrast " + contrast.toFixed(2) + ": " + about(element));
  }

  // 2.5.8: what is not part of a sentence can be hit.
  for (const link of all("a, button, input")) {
    const isInSentence = link.parentElement.innerText.trim() !== link.innerText.trim() && link.closest("p");
    if (!shown(link) || isInSentence || link.closest(".prose")) continue;
    const { width, height } = link.getBoundingClientRect();
    if (width < 24 || height < 24) complaints.push("target " + width + "×" + height + ": " + about(link));
  }

  // 1.4.10: nothing is wider than the window.
  const { scrollWidth } = document.scrollingElement;
  if (scrollWidth > innerWidth) complaints.push("overflows by " + (scrollWidth - innerWidth) + " pixels");
  return complaints;
})()`;
