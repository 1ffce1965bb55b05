// The elements of the page.

export const $ = (id) => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Changes a text, and only if it is another one. The node stays, and with it what the visitor has selected.
export function say(node, text) {
  if (node.textContent === text) return;
  if (node.childNodes.length === 1 && node.firstChild.nodeType === Node.TEXT_NODE && text) node.firstChild.data = text;
  else node.textContent = text;
}

// Makes the rows of a table those of `entries`, pairs of a key and the texts of its cells. Rows that are there stay, so that
// neither a selection nor the place where a screen reader reads is lost.
export function showRows(body, entries) {
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  let next = body.rows[0] ?? null;
  const rows = entries.map(([key, texts]) => {
    const row = known.get(key) ?? element("tr", { role: "row" }, ...texts.map(() => element("td", { role: "cell" })));
    row.dataset.key = key;
    known.delete(key);
    if (row === next) next = row.nextElementSibling;
    else body.insertBefore(row, next);
    texts.forEach((text, i) => say(row.cells[i].querySelector(".text") ?? row.cells[i], text));
    return row;
  });
  for (const row of known.values()) row.remove();
  return rows;
}
