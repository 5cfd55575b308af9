// How much CPU has been used.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

const TICKS_PER_SECOND = 100; // USER_HZ

/** Seconds of CPU of a process since its start. */
export function cpuSecondsOf(pid) {
  if (!existsSync("/proc/self/stat")) return secondsByPs(pid);
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** macOS has no /proc, and a `ps` that tells hundredths (that of Linux does not): `[[days-]hours:]minutes:seconds`. */
function secondsByPs(pid) {
  const { stdout } = spawnSync("ps", ["-o", "time=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim().split(/[-:]/).reduce((sum, part, index, { length }) => sum + Number(part) * [1, 60, 3_600, 86_400][length - 1 - index], 0);
}

/** Seconds of CPU that all programs of the machine have used since its start. */
export function cpuSecondsOfMachine() {
  const used = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq);
  return used.reduce((sum, milliseconds) => sum + milliseconds, 0) / 1_000;
}
