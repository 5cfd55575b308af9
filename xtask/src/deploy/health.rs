//! Whether what was deployed is healthy: its own `/health`, which asks the database. It cannot say which version
//! answers: for a while after an update that may be the old one.

use std::time::Duration;

use serde_json::Value;

use super::{Target, text};
use crate::{
    error::Result,
    process::{answer_of, command, fail_if_stopping},
    progress::{self, Step},
    workspace,
};

/// Between two requests.
const PAUSE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(100);
/// How many characters of a foreign body are shown.
const SHOWN: usize = 200;

/// Requests it until it is ok, or until the target's patience is over: a new address takes a while. `address` is without
/// a path.
pub fn wait(address: &str, target: &Target) -> Result<()> {
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
            fail_if_stopping()?;
            std::thread::sleep(POLL);
        }
        if begun.elapsed() >= target.wait {
            return Err(format!(
                "the Worker is deployed, but {address}/health was not healthy within {} s: {wrong}\n\nFix that and \
                 run this again. The Worker's log: npx wrangler tail{}",
                target.wait.as_secs(),
                target.words()
            ));
        }
    }
}

/// The problem, if there is one.
fn request(address: &str) -> Result<Option<String>> {
    let mut node = command(workspace::node_bin("node"), &[]);
    node.arg(workspace::path("xtask/health.mjs")).arg(address);
    let answer = answer_of(node)?.into_json().map_err(|said| format!("node says: {said}"))?;
    Ok(judged(&answer))
}

fn judged(answer: &Value) -> Option<String> {
    if let Some(error) = text(answer, "error") {
        return Some(format!("no answer ({error})"));
    }
    let status = answer.get("status").and_then(Value::as_u64).unwrap_or_default();
    let body = text(answer, "body").unwrap_or_default();
    let health: Value = serde_json::from_str(body).unwrap_or_default();
    // A page of somebody else, such as a login in front of the domain, is 200 too.
    if status == 200 && text(&health, "status") == Some("ok") {
        return None;
    }
    // Ours says what to do; a body of somebody else says whose it is.
    let reason = text(&health, "message").map(str::to_owned);
    let reason = reason.unwrap_or_else(|| body.chars().take(SHOWN).collect::<String>().trim().to_owned());
    Some(format!("it answered {status}: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_healths_own_ok_is_healthy_and_the_reason_is_its_own_or_whatever_answered() {
        assert_eq!(judged(&json!({"status": 200, "body": "{\"status\":\"ok\"}"})), None);
        let body = json!({"status": "error", "message": "JWT_SECRET is too short"}).to_string();
        let wrong = judged(&json!({"status": 503, "body": body})).unwrap();
        assert_eq!(wrong, "it answered 503: JWT_SECRET is too short");
        let wrong = judged(&json!({"status": 404, "body": "error code: 1042\n"})).unwrap();
        assert_eq!(wrong, "it answered 404: error code: 1042");
        let wrong = judged(&json!({"status": 200, "body": "<title>Sign in</title>"})).unwrap();
        assert_eq!(wrong, "it answered 200: <title>Sign in</title>");
        assert_eq!(judged(&json!({"error": "ENOTFOUND"})).unwrap(), "no answer (ENOTFOUND)");
    }
}
