//! Finds out which secrets the configuration needs and which are missing, and asks for the missing ones.
//!
//! A secret appears in no argument, output or error. It is in memory, and during the upload in a file that only
//! its owner can read: wrangler reads the secrets of a new version from a file, and its stdin stays the
//! terminal because it may need to ask a question too.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nix::{sys::signal::kill, unistd::Pid};
use serde_json::{Map, Value};

use super::{Target, configuration::Configuration, elements, terminal, text};
use crate::{error::Result, setup, workspace};

/// The same as `SigningSecret::MIN_BYTES` of crates/domain. The Worker enforces it; this avoids a deployment that
/// would fail.
const JWT_SECRET_BYTES: usize = 32;

/// The names of all secrets that the configuration needs, for display. What is needed because of another secret is not known here.
pub fn names(configuration: &Configuration) -> String {
    needed(configuration, &[]).iter().map(Need::names).collect::<Vec<_>>().join(", ")
}

/// Asks at the terminal for the secrets that have to be uploaded with the Worker.
pub fn ask_for_missing(target: &Target, configuration: &Configuration) -> Result<Secrets> {
    let set = already_set(target, configuration)?;
    let mut missing = needed(configuration, &set);
    missing.retain(|need| !need.is_met_by(&set));
    if !missing.is_empty() && !terminal::is_there() {
        return Err(list(&missing, target, configuration));
    }
    let mut given = Map::new();
    for need in missing {
        let value = need.ask(&configuration.name)?;
        given.insert(need.name.to_owned(), Value::String(value));
    }
    Ok(Secrets(given))
}

/// Deletes what a deployment has left that was killed during its upload, and nothing of one that is under way.
pub fn delete_leftovers() -> Result<()> {
    let folder = workspace::path("target");
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("cannot delete the secrets in {path}: {error}")
    };
    for entry in fs::read_dir(&folder).map_err(failed(&folder))?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some(process) = name.strip_prefix("secrets-").and_then(|rest| rest.strip_suffix(".json")) else {
            continue;
        };
        if process.parse().is_ok_and(is_running) {
            continue;
        }
        match fs::remove_file(entry.path()) {
            // Another deployment was quicker.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.map_err(failed(&entry.path()))?,
        }
    }
    Ok(())
}

/// Whether there is a process with that id. Somebody else's is no deployment from this folder.
fn is_running(process: i32) -> bool {
    kill(Pid::from_raw(process), None).is_ok()
}

/// Values by name. No `Debug`: they must not be printed.
pub struct Secrets(Map<String, Value>);

impl Secrets {
    /// Writes the file for `--secrets-file`, as JSON: in the other format, dotenv, wrangler would expand each
    /// `$`.
    pub fn write(self) -> Result<Option<SecretsFile>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let path = workspace::path(&format!("target/secrets-{}.json", std::process::id()));
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
        let mut file =
            File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        // From here on it is deleted, whatever happens.
        let guard = SecretsFile(path.clone());
        file.write_all(Value::Object(self.0).to_string().as_bytes()).map_err(failed)?;
        Ok(Some(guard))
    }
}

/// Deleted on drop.
pub struct SecretsFile(PathBuf);

impl SecretsFile {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SecretsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A secret that the Worker must have.
struct Need {
    name: &'static str,
    /// An alternative to it.
    or: Option<&'static str>,
    because: &'static str,
}

impl Need {
    fn is_met_by(&self, set: &[String]) -> bool {
        set.iter().any(|name| name == self.name || Some(name.as_str()) == self.or)
    }

    fn names(&self) -> String {
        self.or.map_or_else(|| self.name.to_owned(), |or| format!("{} (or {or})", self.name))
    }

    /// Asks until the answer is acceptable.
    fn ask(&self, worker: &str) -> Result<String> {
        println!("\n{} is not set for the Worker {worker} ({}).", self.name, self.because);
        let random = self.name == "JWT_SECRET";
        let question = if random {
            "Press Enter to generate a random one, or paste yours (it is not shown):"
        } else {
            "Paste it (it is not shown):"
        };
        loop {
            let value = terminal::ask_hidden(question)?;
            if random && value.is_empty() {
                println!("Generated a random one.");
                return Ok(setup::random_hex()? + &setup::random_hex()?);
            }
            match flaw(self.name, &value) {
                None => return Ok(value),
                Some(flaw) => println!("{flaw}"),
            }
        }
    }
}

/// Why the Worker would refuse a value. The message does not contain the value itself.
fn flaw(name: &str, value: &str) -> Option<&'static str> {
    match name {
        _ if value.is_empty() => Some("Enter a value, or press Ctrl-C to cancel."),
        "JWT_SECRET" if value.len() < JWT_SECRET_BYTES => Some("It needs at least 32 bytes."),
        "WEBHOOK_SECRET" if !is_webhook_secret(value) => {
            Some("It must be whsec_ and 24 to 64 random bytes in base64.")
        }
        _ => None,
    }
}

/// As `WebhookSecret::parse` of crates/domain, which this crate must not have to compile: `whsec_` and 24 to 64 bytes in
/// padded base64, with no bit set beyond the last byte.
fn is_webhook_secret(value: &str) -> bool {
    const PAD: char = '=';
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let Some(base64) = value.strip_prefix("whsec_") else { return false };
    let digits = base64.trim_end_matches(PAD);
    let padding = base64.len() - digits.len();
    let values: Option<Vec<usize>> = digits.chars().map(|digit| ALPHABET.find(digit)).collect();
    let Some(last) = values.as_ref().and_then(|values| values.last()) else { return false };
    // Two of the last digit's bits are unused for each byte that is padded.
    let fits = base64.len().is_multiple_of(4) && padding <= 2 && last.is_multiple_of(1 << (2 * padding));
    fits && (24..=64).contains(&(base64.len() / 4 * 3 - padding))
}

/// What the configuration needs, and what the secrets that are set already need in turn: `WEBHOOK_URL` may be one.
fn needed(configuration: &Configuration, set: &[String]) -> Vec<Need> {
    let mut needs = vec![Need { name: "JWT_SECRET", or: None, because: "it signs tokens" }];
    let mut need = |variable: &str, name, or, because| {
        if configuration.variable(variable).is_some() || set.iter().any(|name| name == variable) {
            needs.push(Need { name, or, because });
        }
    };
    need("MONGO_URI", "MONGO_API_KEY", None, "MONGO_URI is set: `Bearer ` and a key of the Data API server");
    // A static credential needs a user name; a shared secret does not.
    let shared = "TURN_SHARED_SECRET";
    match configuration.variable("TURN_SERVER_USERNAME") {
        Some(_) => {
            let because = "TURN_SERVER_URL and TURN_SERVER_USERNAME are set";
            need("TURN_SERVER_URL", "TURN_SERVER_CREDENTIAL", Some(shared), because);
        }
        None => need("TURN_SERVER_URL", shared, None, "TURN_SERVER_URL is set, TURN_SERVER_USERNAME is not"),
    }
    need("TURN_KEY_ID", "TURN_KEY_API_TOKEN", None, "TURN_KEY_ID is set");
    need("WEBHOOK_URL", "WEBHOOK_SECRET", None, "WEBHOOK_URL is set");
    needs
}

/// The names of the secrets the Worker has; empty if the Worker does not exist yet.
fn already_set(target: &Target, configuration: &Configuration) -> Result<Vec<String>> {
    let list = match target.answer(&["secret", "list", "--format", "json"]) {
        Ok(list) => list,
        Err(said)
            if said.contains(&format!("Worker \"{}\"", configuration.name)) && said.contains("not found") =>
        {
            return Ok(Vec::new());
        }
        Err(said) => return Err(format!("the Worker's secrets cannot be listed:\n{said}")),
    };
    Ok(elements(&list).iter().filter_map(|secret| text(secret, "name")).map(str::to_owned).collect())
}

fn list(missing: &[Need], target: &Target, configuration: &Configuration) -> String {
    let options = target.words();
    let commands: Vec<_> = missing
        .iter()
        .map(|need| format!("  npx wrangler secret put {}{options}    # {}", need.name, need.because))
        .collect();
    format!(
        "the Worker {} is missing secrets, and there is no terminal to ask for them. Set them, or run this at a \
         terminal. Each command reads the value from its standard input, and makes an empty Worker first where there \
         is none yet:\n\n{}\n\nA random JWT_SECRET: openssl rand -hex 32",
        configuration.name,
        commands.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn needs(vars: Value) -> String {
        names(&Configuration::with_variables(vars))
    }

    #[test]
    fn a_secret_is_needed_where_the_variable_that_goes_with_it_is_set() {
        assert_eq!(needs(json!({})), "JWT_SECRET");
        assert_eq!(needs(json!({"MONGO_URI": "", "WEBHOOK_URL": " ", "TURN_KEY_ID": ""})), "JWT_SECRET");
        assert_eq!(needs(json!({"MONGO_URI": "https://d.example/data/v1"})), "JWT_SECRET, MONGO_API_KEY");
        assert_eq!(needs(json!({"TURN_KEY_ID": "k"})), "JWT_SECRET, TURN_KEY_API_TOKEN");
        assert_eq!(needs(json!({"WEBHOOK_URL": "https://w.example"})), "JWT_SECRET, WEBHOOK_SECRET");
    }

    #[test]
    fn a_secret_is_needed_where_the_name_that_goes_with_it_is_a_secret_itself() {
        let set = ["JWT_SECRET", "WEBHOOK_URL", "TURN_KEY_ID"].map(str::to_owned);
        let needs = needed(&Configuration::with_variables(json!({})), &set);
        let missing: Vec<_> = needs.iter().filter(|need| !need.is_met_by(&set)).map(Need::names).collect();
        assert_eq!(missing, ["TURN_KEY_API_TOKEN", "WEBHOOK_SECRET"]);
    }

    #[test]
    fn a_turn_server_with_a_user_name_has_a_credential_another_a_shared_secret() {
        let named = needs(json!({"TURN_SERVER_URL": "turn:t", "TURN_SERVER_USERNAME": "u"}));
        assert_eq!(named, "JWT_SECRET, TURN_SERVER_CREDENTIAL (or TURN_SHARED_SECRET)");
        let unnamed = needs(json!({"TURN_SERVER_URL": "turn:t"}));
        assert_eq!(unnamed, "JWT_SECRET, TURN_SHARED_SECRET");
    }

    #[test]
    fn what_the_worker_would_refuse_is_asked_for_again() {
        assert!(flaw("JWT_SECRET", "short").is_some() && flaw("JWT_SECRET", &"x".repeat(32)).is_none());
        assert!(flaw("MONGO_API_KEY", "").is_some() && flaw("MONGO_API_KEY", "Bearer k").is_none());
    }

    /// The Worker's own check is held against the same table (crates/runtime/src/config.rs).
    #[test]
    fn webhook_secrets_are_accepted_and_refused_as_the_shared_table_says() {
        for line in include_str!("../../../tests/webhook_secrets.txt").lines() {
            let (expected, secret) = line.split_once(' ').unwrap();
            assert_eq!(flaw("WEBHOOK_SECRET", secret).is_none(), expected == "accepted", "{line}");
        }
    }
}
