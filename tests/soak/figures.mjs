// Figures, and what to know about the machine that they come from.

import { availableParallelism, platform } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { cpuSecondsOf, cpuSecondsOfMachine } from "../e2e/support/usage.mjs";

export const millis = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
export const kib = (bytes) => `${Math.round(bytes / 1024)} KiB`;
export const mib = (bytes) => `${Math.round(bytes / 1024 / 1024)} MiB`;

export function percentile(times, percent) {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))];
}

/**
 * From now on: what the server and the generator use, and what other programs take from them. Where the generator is
 * late, times are not the server's doing.
 */
export function usage(pid) {
  if (platform() !== "linux") return () => "the use of the processor is told on Linux only";
  const [begun, server, own, machine] = [performance.now(), cpuSecondsOf(pid), process.cpuUsage(), cpuSecondsOfMachine()];
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  return () => {
    const seconds = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(own);
    const used = { workerd: cpuSecondsOf(pid) - server, "the generator": (user + system) / 1e6 };
    used["other programs"] = Math.max(0, cpuSecondsOfMachine() - machine - used.workerd - used["the generator"]);
    const shares = Object.entries(used).map(([name, cpu]) => `${name} ${(cpu / seconds).toFixed(2)}`).join(", ");
    return `of ${availableParallelism()} cores: ${shares}; the generator was late by ${millis(lag.percentile(99) / 1e6)} (p99)`;
  };
}
