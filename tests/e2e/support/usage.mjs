// How much CPU a process has used, which only Linux tells in fractions of a second: for figures, not for tests.

import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100; // USER_HZ

/** Seconds of CPU since its start. */
export function cpuSecondsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Seconds of CPU that all programs of the machine have used since its start. */
export function cpuSecondsOfMachine() {
  const [user, nice, system, , , irq, softirq] = /^cpu +(.*)/.exec(readFileSync("/proc/stat", "utf8"))[1].split(" ").map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
