// The processes of this machine, by `ps`, which Linux and macOS have.

import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";

/** Every process: `{pid, parent, memory, ended, command}`, the memory in bytes. `ended`: it is over, but nobody asked how. */
function processes() {
  const { stdout, error } = spawnSync("ps", ["-A", "-ww", "-o", "pid=,ppid=,rss=,stat=,args="], { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (error) throw new Error(`the tests need \`ps\` (Debian: procps): ${error.message}`);
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, kilobytes, state, command] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*)/.exec(line) ?? [];
    return pid ? [{ pid: Number(pid), parent: Number(parent), memory: Number(kilobytes) * 1024, ended: state.startsWith("Z"), command }] : [];
  });
}

/** What a process has started, and what that has started in turn. */
export function descendantsOf(pid, all = processes()) {
  return all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...descendantsOf(child.pid, all)]);
}

/** Which of these process ids are still in use. */
export function runningOf(pids) {
  return processes().filter(({ pid, ended }) => !ended && pids.includes(pid)).map(({ pid }) => pid);
}

/** Bytes of memory in use by a process. */
export function memoryOf(pid) {
  const found = processes().find((process) => process.pid === pid);
  if (!found) throw new Error(`there is no process ${pid}`);
  return found.memory;
}

/** Watches a process; the function that it gives ends that, and tells the most memory in bytes that the process had. */
export function watchMemory(pid) {
  // By a shell of its own: starting a program ten times a second would hold up whoever watches.
  const shell = spawn("sh", ["-c", `while ps -o rss= -p ${pid}; do sleep 0.1; done`], { stdio: ["ignore", "pipe", "inherit"] });
  let most = memoryOf(pid);
  createInterface(shell.stdout).on("line", (kilobytes) => (most = Math.max(most, Number(kilobytes) * 1024)));
  return () => {
    shell.kill();
    return Math.max(most, memoryOf(pid));
  };
}
