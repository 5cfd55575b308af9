// @ts-check
// Finds addresses of the web in somebody's words, so that they can be followed. Other schemes stay text.

const ADDRESS = /\bhttps?:\/\/[^\s<>"']+/gi;
/** What ends a sentence, not an address. */
const TRAILING = /[.,;:!?…)\]}]+$/;

/**
 * The text in pieces; those with `href` are addresses. Together they are the text.
 * @param {string} text
 * @returns {{ text: string, href?: string }[]}
 */
export function withLinks(text) {
  const pieces = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    if (!URL.canParse(address)) continue;
    if (index > end) pieces.push({ text: text.slice(end, index) });
    pieces.push({ text: address, href: new URL(address).href });
    end = index + address.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

/** Without the punctuation after it. A closing bracket stays where the address opens it, as in Wikipedia's.
 * @param {string} address */
function trimmed(address) {
  const bare = address.replace(TRAILING, "");
  return address[bare.length] === ")" && bare.includes("(") && !bare.includes(")") ? `${bare})` : bare;
}
