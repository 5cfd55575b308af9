// Injects network faults between a page and the real server: latency, lost messages, a cut connection.

/** Set it up before the page connects. */
export class Line {
  /** Milliseconds in each direction. */
  latency = 0;
  /** Whether events from the page are dropped silently. */
  loses = false;
  /** Resolves when the page has upgraded from polling to WebSocket. */
  upgraded;
  #isCut = false;
  #sockets = new Set();

  static async lay(page) {
    const line = new Line();
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
      line.#sockets.add(socket).add(server);
      // Delayed frames keep their order.
      let [up, down] = [Promise.resolve(), Promise.resolve()];
      socket.onMessage((frame) => {
        if (frame === "5") upgrade();
        if (line.loses && String(frame).startsWith("42")) return;
        const sent = line.#passes();
        up = up.then(() => sent).then(() => server.send(frame));
      });
      server.onMessage((frame) => {
        const sent = line.#passes();
        down = down.then(() => sent).then(() => socket.send(frame));
      });
    });
    return line;
  }

  async cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) await socket.close();
    this.#sockets.clear();
  }

  restore() {
    this.#isCut = false;
  }

  #passes() {
    return new Promise((resolve) => setTimeout(resolve, this.latency));
  }
}
