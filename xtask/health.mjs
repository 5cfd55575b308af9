// One GET of an address, for `cargo xtask deploy`, which has no TLS of its own. Prints {"status","body"}, or {"error"}
// where nothing answers within ten seconds.

try {
  const answer = await fetch(process.argv[2], { signal: AbortSignal.timeout(10_000), redirect: "manual" });
  console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));
} catch (error) {
  console.log(JSON.stringify({ error: error.cause?.message ?? error.message }));
}
