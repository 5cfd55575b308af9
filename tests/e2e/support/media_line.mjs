// Carries a page's media through the test, which can cut it: signals go another way, see `line.mjs`.

import { createSocket } from "node:dgram";

/** Lay it before the visitor's page connects. It goes around in both directions: each side is told only of the test's addresses. */
export class MediaLine {
  #relays = new Set();

  static async lay({ context }) {
    const line = new MediaLine();
    await context.exposeFunction("relayTo", (address, port) => line.#relayTo(address, Number(port)));
    await context.addInitScript(RELAY_CANDIDATES);
    return line;
  }

  /** What leads to the addresses told so far is lost for ever, as when somebody walks out of their Wi-Fi; new addresses work. */
  cut() {
    for (const relay of this.#relays) relay.close();
    this.#relays.clear();
  }

  /** A port of the loopback interface, behind which that address is; the other side of it is whoever sends to it. */
  #relayTo(address, port) {
    return new Promise((resolve) => {
      const relay = createSocket("udp4");
      let other;
      relay.on("message", (packet, from) => {
        const isFromThere = from.address === address && from.port === port;
        if (!isFromThere) other = from;
        if (isFromThere && other) relay.send(packet, other.port, other.address);
        if (!isFromThere) relay.send(packet, port, address);
      });
      relay.bind(0, "127.0.0.1", () => resolve(relay.address().port));
      this.#relays.add(relay);
    });
  }
}

/** Put into a page before its own scripts: replaces the addresses that the other side tells by those of relays to them. */
const RELAY_CANDIDATES = () => {
  const { addIceCandidate, setRemoteDescription } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addIceCandidate = async function (told) {
    const words = told.candidate.split(" ");
    const [protocol, address, port] = [words[2], words[4], words[5]];
    // All the others lead past the relays.
    if (protocol !== "udp" || !address.includes(".")) return;
    [words[4], words[5]] = ["127.0.0.1", await globalThis.relayTo(address, port)];
    await addIceCandidate.call(this, { ...told, candidate: words.join(" ") });
  };
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    // They are all told by themselves too.
    return setRemoteDescription.call(this, { type, sdp: sdp.replace(/^a=candidate.*\r\n/gm, "") });
  };
};
