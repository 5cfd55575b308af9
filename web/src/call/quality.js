// @ts-check
// How good the connection to somebody is, by what the browser measures.

/** From the best to the worst: bars, and words for those who cannot see bars. A connection is as good as the first row whose
 * limits it keeps: the round trip in seconds, and the share of packets lost on the way to us. */
const LEVELS = [
  { bars: 3, words: "Good connection", roundTrip: 0.2, lost: 0.02 },
  { bars: 2, words: "Fair connection", roundTrip: 0.4, lost: 0.06 },
  { bars: 1, words: "Poor connection", roundTrip: Infinity, lost: Infinity },
];

/** What was counted until the last measurement. */
export class QualityMeter {
  #received = 0;
  #lost = 0;

  /**
   * Reads an `RTCStatsReport`; undefined until there is a route.
   * @param {Iterable<any>} stats
   * @returns {{ bars: number, words: string } | undefined}
   */
  read(stats) {
    let [received, lost, roundTrip] = [0, 0, undefined];
    for (const stat of stats) {
      if (stat.type === "candidate-pair" && stat.nominated && stat.state === "succeeded") roundTrip = stat.currentRoundTripTime ?? 0;
      if (stat.type !== "inbound-rtp") continue;
      received += stat.packetsReceived ?? 0;
      lost += stat.packetsLost ?? 0;
    }
    // A connection that was made anew counts from zero again.
    const [newly, gone] = [Math.max(0, received - this.#received), Math.max(0, lost - this.#lost)];
    [this.#received, this.#lost] = [received, lost];
    if (roundTrip === undefined) return undefined;
    const share = gone / Math.max(1, newly + gone);
    const { bars, words } = LEVELS.find((level) => roundTrip <= level.roundTrip && share <= level.lost) ?? LEVELS[LEVELS.length - 1];
    return { bars, words };
  }
}
