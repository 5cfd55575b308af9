// A server between the Worker and the Data API that passes everything on, until it is told to misbehave.

import { createServer, request as httpRequest } from "node:http";
import { once } from "node:events";

export class Trouble {
  /** `127.0.0.1:port` of the real server. */
  target = undefined;
  /** Changes an answer: gets its body, gives `{status, type, body}` or nothing. */
  translate = undefined;
  /** Is called for requests outside of the Data API. */
  elsewhere = () => {};
  #answer = undefined;
  #times = Infinity;
  #asked = 0;
  #lost = undefined;

  static async start() {
    const trouble = new Trouble();
    await trouble.listen();
    return trouble;
  }

  /** Listens, again on the same port. */
  async listen() {
    this.server = createServer((request, response) => this.#serve(request, response));
    this.server.listen(this.port ?? 0, "127.0.0.1");
    await once(this.server, "listening");
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** From now on connections are refused. */
  async close() {
    const closed = once(this.server, "close");
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  /** Answers so, instead of passing on, as many times. */
  misbehave(answer, { times = Infinity } = {}) {
    this.#answer = answer;
    this.#times = times;
    this.#asked = 0;
  }

  /** Behaves again; how many requests it has misbehaved to. */
  calm() {
    this.#answer = undefined;
    return this.#asked;
  }

  /** Passes the next call of that action on, and then hangs up instead of answering. */
  loseAnswer(action) {
    this.#lost = action;
  }

  #serve(request, response) {
    if (!request.url.startsWith("/data/v1/")) {
      this.elsewhere(request);
      return response.writeHead(404).end();
    }
    if (this.#answer && this.#asked < this.#times) {
      this.#asked += 1;
      request.resume();
      return request.once("end", () => this.#answer?.(request, response));
    }
    const [host, port] = this.target.split(":");
    const { method, url: path, headers } = request;
    const onward = httpRequest({ host, port, method, path, headers }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      let told = { status: answer.statusCode, type: answer.headers["content-type"], body: Buffer.concat(chunks) };
      if (this.#lost && path.endsWith(`/${this.#lost}`)) {
        this.#lost = undefined;
        return response.socket.destroy();
      }
      told = this.translate?.(told.body.toString()) ?? told;
      response.writeHead(told.status, { "content-type": told.type }).end(told.body);
    });
    onward.once("error", () => response.socket?.destroy());
    request.pipe(onward);
  }
}
