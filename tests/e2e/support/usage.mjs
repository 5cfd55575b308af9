// What a process uses of the machine, as Linux tells it.

import { readFileSync } from "node:fs";

export const MIB = 1024 * 1024;
const TICKS_PER_SECOND = 100; // USER_HZ

/** Bytes of memory in use. */
export function memoryOf(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}

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
