// Programs that a test starts, and ends with everything that they have started.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { polled } from "./patience.mjs";
import { descendantsOf, runningOf } from "./processes.mjs";

/** A start may compile what `cargo` has to run first. */
const PATIENCE = 300_000;

export class Program {
  output = "";

  /** Starts it and waits until it has printed `until`; it ends with the test `t` at the latest. */
  static async start(t, [command, ...args], { until, ...options }) {
    const program = new Program();
    program.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    t.after(() => program.destroy());
    await new Promise((resolve, reject) => {
      const fail = (what) => reject(new Error(`it ${what}:\n${program.output}`));
      const timer = setTimeout(() => fail(`has not said “${until}” in time`), PATIENCE);
      for (const stream of [program.child.stdout, program.child.stderr]) {
        stream.on("data", (chunk) => {
          program.output += chunk;
          if (!program.output.includes(until)) return;
          clearTimeout(timer);
          resolve();
        });
      }
      program.child.on("error", reject);
      program.child.on("exit", (code) => {
        clearTimeout(timer);
        fail(`ended with ${code}`);
      });
    });
    return program;
  }

  /** Sends the signal, to it alone or to its group as a terminal does; gives the exit code. */
  async end(signal, { group = false } = {}) {
    const descendants = descendantsOf(this.child.pid).map(({ pid }) => pid);
    assert.ok(descendants.length > 0, "it had started something");
    const exited = once(this.child, "exit");
    process.kill(group ? -this.child.pid : this.child.pid, signal);
    const [code] = await exited;
    await polled(() => runningOf(descendants).length === 0, "it to leave no process", 5_000);
    return code;
  }

  /** Ends by force what a test that failed has left. */
  destroy() {
    const ids = [this.child.pid, ...descendantsOf(this.child.pid).map(({ pid }) => pid)];
    for (const pid of runningOf(ids)) process.kill(pid, "SIGKILL");
  }
}

/** Runs a program to its end and gives what it printed. */
export async function outputOf([command, ...args], options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) child[stream].on("data", (chunk) => (output[stream] += chunk));
  const [code] = await once(child, "close");
  return { code, ...output };
}
