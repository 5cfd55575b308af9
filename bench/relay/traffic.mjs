// The load of the relay benchmark: offers and answers of raw WebSocket clients.

const PATIENCE = 20_000;
const OFFER = '42["offer"';
const ANSWER = '42["answer"';

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
      callee.on("message", (data) => { if (is(data, OFFER)) callee.send(answer); });
      caller.on("message", (data) => {
        if (!is(data, ANSWER)) return;
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
  async end() {
    this.#running = false;
    if (this.#underWay === 0) return;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.#underWay} answers are missing after ${PATIENCE / 1000} s`)), PATIENCE);
      this.#ended = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #offer({ sockets: [caller], offer }) {
    this.#underWay += 1;
    caller.send(offer);
  }
}

function is(data, beginning) {
  return data.toString("latin1", 0, beginning.length) === beginning;
}
