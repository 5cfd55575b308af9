//! Uploads the Worker and finds its address in what wrangler writes to `WRANGLER_OUTPUT_FILE_PATH`: one JSON
//! object per line, of which the one with `"type": "deploy"` lists the `targets`.

use std::fs;

use serde_json::Value;

use super::{PRODUCTION, Target, elements, secrets::Secrets, text};
use crate::{error::Result, process::run_shown, workspace};

/// Uploads the Worker together with its new secrets and returns its address.
pub fn upload(target: &Target, secrets: Secrets) -> Result<String> {
    let report = workspace::path(&format!("target/deploy-{}.ndjson", std::process::id()));
    let _ = fs::remove_file(&report);
    let secrets = secrets.write()?;
    let mut wrangler = target.wrangler(&["deploy"]);
    // With keep_vars, variables set in the dashboard are kept; this one is set regardless.
    wrangler.args(PRODUCTION).env("WRANGLER_OUTPUT_FILE_PATH", &report);
    if let Some(secrets) = &secrets {
        wrangler.arg("--secrets-file").arg(secrets.path());
    }
    let outcome = run_shown(wrangler, "See wrangler's output above.");
    drop(secrets);
    let lines = fs::read_to_string(&report).unwrap_or_default();
    let _ = fs::remove_file(&report);
    outcome?;
    address_in(&lines)
}

fn address_in(report: &str) -> Result<String> {
    let mut entries = report.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let Some(deployed) = entries.rfind(|entry| text(entry, "type") == Some("deploy")) else {
        return Err("wrangler succeeded but did not report a deployment".to_owned());
    };
    // wrangler asked for confirmation and the answer was no.
    if text(&deployed, "version_id").is_none() {
        return Err("wrangler did not deploy; see its output above".to_owned());
    }
    let targets = deployed.get("targets").map_or(&[][..], elements);
    targets.iter().filter_map(Value::as_str).find_map(address_of).ok_or_else(|| {
        "deployed, but it has no address: the configuration switches workers.dev off and has no route to all of a \
         host"
            .to_owned()
    })
}

/// `https://zetra.example.workers.dev`, `zetra.example.com (custom domain)` and `zetra.example.com/* (zone name: …)`
/// are addresses; other routes, schedules and queues are not.
fn address_of(target: &str) -> Option<String> {
    let name = target.split(" (").next()?.trim_end_matches("/*").trim_end_matches('/');
    if name.starts_with("https://") || name.starts_with("http://") {
        return Some(name.to_owned());
    }
    let is_host =
        name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    is_host.then(|| format!("https://{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_target_that_is_a_whole_host_is_the_address() {
        for (target, address) in [
            ("https://zetra.example.workers.dev", Some("https://zetra.example.workers.dev")),
            ("zetra.example.com (custom domain)", Some("https://zetra.example.com")),
            ("zetra.example.com/* (zone name: example.com)", Some("https://zetra.example.com")),
            ("*.example.com/*", None),
            ("example.com/zetra/*", None),
            ("schedule: 0 * * * *", None),
            ("Producer for messages", None),
        ] {
            assert_eq!(address_of(target).as_deref(), address, "{target}");
        }
        let report = "{\"type\":\"wrangler-session\"}\n\
            {\"type\":\"deploy\",\"version_id\":\"v\",\"targets\":[\"schedule: x\",\"https://z.workers.dev\"]}\n";
        assert_eq!(address_in(report).unwrap(), "https://z.workers.dev");
    }

    #[test]
    fn a_deployment_that_did_not_happen_is_an_error() {
        for (report, reason) in [
            ("", "did not report"),
            ("{\"type\":\"deploy\",\"version_id\":null}", "did not deploy"),
            ("{\"type\":\"deploy\",\"version_id\":\"v\",\"targets\":[]}", "no address"),
        ] {
            assert!(address_in(report).err().unwrap().contains(reason), "{report}");
        }
    }
}
