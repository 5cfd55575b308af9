//! Checks that the deployed Worker is healthy: its own `/health`, which queries the database.

use std::{process::Stdio, time::Duration};

use serde_json::Value;

use super::text;
use crate::{
    error::Result,
    process::{command, is_stopping},
    progress::{self, Step},
    workspace,
};

/// Between two requests.
const PAUSE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(100);
/// How many characters of a foreign body are shown.
const SHOWN: usize = 200;

/// Requests `/health` until it answers 200 or `patience` has passed: it takes a while until a new address works
/// and a new version is deployed everywhere. `address` has no path.
pub fn wait(address: &str, patience: Duration) -> Result<()> {
    println!("\nDeployed to {address}");
    let mut step = Step::begin(&format!("waiting for {address}/health"));
    let begun = progress::now();
    loop {
        let Some(wrong) = request(&format!("{address}/health"))? else {
            step.done("");
            println!("\n  client   {address}/app/\n  REST     {address}/api/…\n  sockets  io(\"{address}\")");
            return Ok(());
        };
        step.update(&wrong);
        let tried = progress::now();
        while tried.elapsed() < PAUSE {
            if is_stopping() {
                return Err("stopped".to_owned());
            }
            std::thread::sleep(POLL);
        }
        if begun.elapsed() >= patience {
            return Err(format!(
                "the Worker is deployed, but {address}/health was not healthy within {} s: {wrong}\n\nFix that and \
                 run this again. The Worker's log: npx wrangler tail",
                patience.as_secs()
            ));
        }
    }
}

/// The problem, if there is one.
fn request(address: &str) -> Result<Option<String>> {
    let mut node = command(workspace::node_bin("node"), &[]);
    let output = node.arg(workspace::path("xtask/health.mjs")).arg(address).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot start node: {error}"))?;
    let answer: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("node failed: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(judged(&answer))
}

fn judged(answer: &Value) -> Option<String> {
    if let Some(error) = text(answer, "error") {
        return Some(format!("no answer ({error})"));
    }
    let status = answer.get("status").and_then(Value::as_u64).unwrap_or_default();
    if status == 200 {
        return None;
    }
    let body = text(answer, "body").unwrap_or_default();
    let health: Value = serde_json::from_str(body).unwrap_or_default();
    // Our own message contains the remedy; a foreign body shows who answered.
    let reason = text(&health, "message").map(str::to_owned);
    let reason = reason.unwrap_or_else(|| body.chars().take(SHOWN).collect::<String>().trim().to_owned());
    Some(format!("it answered {status}: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_reason_is_healths_own_or_whatever_answered() {
        assert_eq!(judged(&json!({"status": 200, "body": "{\"status\":\"ok\"}"})), None);
        let body = json!({"status": "error", "message": "JWT_SECRET is too short"}).to_string();
        let wrong = judged(&json!({"status": 503, "body": body})).unwrap();
        assert_eq!(wrong, "it answered 503: JWT_SECRET is too short");
        let wrong = judged(&json!({"status": 404, "body": "error code: 1042\n"})).unwrap();
        assert_eq!(wrong, "it answered 404: error code: 1042");
        assert_eq!(judged(&json!({"error": "ENOTFOUND"})).unwrap(), "no answer (ENOTFOUND)");
    }
}
