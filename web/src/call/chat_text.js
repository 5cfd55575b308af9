// @ts-check
// What the server takes as the text of a chat message.

/**
 * The text without the control characters that the server refuses. Pasted text has some: word processors break lines with a
 * vertical tab, and these become newlines.
 * @param {string} text
 */
export const sendable = (text) => text.replace(/[\v\f\u0085]/g, "\n").replace(/[^\P{Cc}\t\n\r]/gu, "");
