// Injects network faults between a page and the real server: latency, lost messages, a cut connection.

/** Set it up before the visitor's page connects. */
export class Line {
  /** Milliseconds in each direction. A cut loses what is on its way. */
  latency = 0;
  /** Whether events from the page are dropped silently. */
  loses = false;
  /** The events that were dropped. */
  lost = [];
  /** Resolves when the page has upgraded from polling to WebSocket. */
  upgraded;
  #isCut = false;
  #sockets = new Set();

  static async lay({ page, expected }) {
    const line = new Line();
    // A frame may be on its way through the line when the connection behind it ends.
    expected.push(/WebSocket is already in CLOSING/);
    let upgrade;
    line.upgraded = new Promise((resolve) => (upgrade = resolve));
    await page.route("**/socket.io/**", async (route) => {
      if (line.#isCut) return route.abort("connectionfailed");
      await line.#passes();
      await route.continue().catch(() => {});
    });
    await page.routeWebSocket(/\/socket\.io\//, (socket) => {
      if (line.#isCut) return socket.close();
      const server = socket.connectToServer();
      const isOpen = () => line.#sockets.has(server);
      line.#sockets.add(socket).add(server);
      // Delayed frames keep their order.
      let [up, down] = [Promise.resolve(), Promise.resolve()];
      socket.onMessage((frame) => {
        if (frame === "5") upgrade();
        if (line.loses && String(frame).startsWith("42")) return line.lost.push(frame);
        const sent = line.#passes();
        up = up.then(() => sent).then(() => isOpen() && server.send(frame));
      });
      server.onMessage((frame) => {
        const sent = line.#passes();
        down = down.then(() => sent).then(() => isOpen() && socket.send(frame));
      });
    });
    return line;
  }

  async cut() {
    this.#isCut = true;
    const sockets = [...this.#sockets];
    this.#sockets.clear();
    for (const socket of sockets) await socket.close();
  }

  restore() {
    this.#isCut = false;
  }

  #passes() {
    return new Promise((resolve) => setTimeout(resolve, this.latency));
  }
}
