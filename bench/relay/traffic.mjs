// The load of the relay benchmark: offers and answers of raw WebSocket clients.

/** Offers and answers in rooms that stay open: what it costs to open and to forget one is not the relay's. */
export class Traffic {
  roundTrips = 0;
  #running = false;
  #underWay = 0;
  #ended;

  constructor(rooms, { window }) {
    Object.assign(this, { rooms, window });
    for (const room of rooms) {
      const { sockets: [caller, callee], answer } = room;
      callee.on("message", (data) => { if (isEvent(data)) callee.send(answer); });
      caller.on("message", (data) => {
        if (!isEvent(data)) return;
        this.roundTrips += 1;
        this.#underWay -= 1;
        if (this.#running) this.#offer(room);
        else if (this.#underWay === 0) this.#ended();
      });
    }
  }

  begin() {
    this.#running = true;
    for (const room of this.rooms) for (let sent = 0; sent < this.window; sent += 1) this.#offer(room);
  }

  /** Resolves when the last answer has come. */
  end() {
    this.#running = false;
    return new Promise((resolve) => { this.#ended = resolve; });
  }

  #offer({ sockets: [caller], offer }) {
    this.#underWay += 1;
    caller.send(offer);
  }
}

function isEvent(data) {
  return data[0] === 0x34 && data[1] === 0x32; // "42"
}
