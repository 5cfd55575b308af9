//! `cargo xtask deploy`: deploys the Worker, its objects, its database and its secrets to Cloudflare.
//!
//! The parts that need an account follow the help and the source of the pinned wrangler. They are tested with a
//! stand-in for wrangler (`tests/e2e/deploy.test.mjs`); the requests and the output of the real wrangler are
//! tested against an API of ours (`tests/e2e/deploy_wrangler.test.mjs`). Nothing was run against Cloudflare.
//!
//! A secret is uploaded together with the version that needs it (`wrangler deploy --secrets-file`). `wrangler
//! secret put` would add it to the deployed version before the new one exists, and for a Worker that does not
//! exist it would first create an empty one. So no version ever serves requests without its secrets.

mod configuration;
mod database;
mod health;
mod secrets;
mod terminal;
mod upload;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use configuration::Configuration;
use serde_json::Value;

use crate::{
    build,
    error::Result,
    options::Options,
    process::{answer_of, catch_stop_signals, fail_if_stopping, run_shown},
    setup,
    wrangler::wrangler,
};

pub const HELP: &str = "\
cargo xtask deploy [options]

Deploys the Worker to Cloudflare and waits until it is healthy:

  1. checks that you are signed in (`npx wrangler login`, or CLOUDFLARE_API_TOKEN)
  2. works out which secrets are needed and which are missing:
       JWT_SECRET                                    always
       MONGO_API_KEY                                 where MONGO_URI is set
       TURN_SHARED_SECRET                            where TURN_SERVER_URL is set,
       or TURN_SERVER_CREDENTIAL                     with TURN_SERVER_USERNAME
       TURN_KEY_API_TOKEN                            where TURN_KEY_ID is set
       WEBHOOK_SECRET                                where WEBHOOK_URL is set
     and asks for each of these, without showing what is typed. For JWT_SECRET it can make a random one.
     Without a terminal it fails, and lists them with the commands that set them.
  3. builds
  4. without MongoDB: creates the D1 database if there is none, writes its id into the configuration, and applies
     the migrations
  5. uploads Worker and secrets together, with NODE_ENV=production
  6. prints the address and requests /health there until it answers 200 and says ok. For a while after an
     update the old version may be the one that answers.

Run it again to deploy a change; it asks only for what is missing.

Options
  --dry-run      build, and show what would be uploaded; needs no account
  --env NAME     an environment of the configuration, such as staging ([env.staging] in wrangler.toml): a Worker,
                 a database and secrets of its own
  --config FILE  another configuration than wrangler.toml, relative to the repository's root
  --wait SECONDS how long /health may take (60)

Environment
  CLOUDFLARE_API_TOKEN   signs in without a browser
  CLOUDFLARE_ACCOUNT_ID  which account, where you can use several
  ZETRA_WRANGLER         for tests: a script for Node that stands in for wrangler";

const SIGN_IN: &str = "Sign in first: `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.";
const PRODUCTION: [&str; 2] = ["--var", "NODE_ENV:production"];

pub fn run(arguments: &[&str]) -> Result<()> {
    let target = Target::read(arguments)?;
    setup::run()?;
    let configuration = Configuration::read(&target)?;
    if target.dry_run {
        build::run()?;
        println!("Secrets it needs: {}\n", secrets::names(&configuration));
        let deploy = ["deploy", "--dry-run", "--outdir", "target/dry-run"];
        return run_shown(target.wrangler(&[&deploy[..], &PRODUCTION].concat()), "");
    }
    catch_stop_signals()?;
    secrets::delete_leftovers()?;
    check_sign_in(&target)?;
    database::check(&configuration)?;
    let secrets = secrets::ask_for_missing(&target, &configuration)?;
    build::run()?;
    database::prepare(&target, &configuration)?;
    fail_if_stopping()?;
    let address = upload::upload(&target, secrets)?;
    health::wait(&address, &target)
}

fn check_sign_in(target: &Target) -> Result<()> {
    // Plain `whoami` says that nobody is signed in and succeeds.
    let answer = answer_of(target.wrangler(&["whoami", "--json"]))?;
    if answer.json.as_ref().and_then(|json| json.get("loggedIn")?.as_bool()) == Some(false) {
        return Err(format!("nobody is signed in. {SIGN_IN}"));
    }
    let said = |said| format!("wrangler cannot say whether you are signed in:\n{said}");
    answer.into_json().map(|_| ()).map_err(said)
}

/// The command line's options: what to deploy, and how.
struct Target {
    /// Empty for the configuration's top level.
    environment: String,
    config: PathBuf,
    dry_run: bool,
    wait: Duration,
}

impl Target {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut target = Self {
            environment: String::new(),
            config: "wrangler.toml".into(),
            dry_run: false,
            wait: Duration::from_secs(60),
        };
        let mut options = Options::new(arguments);
        while let Some(name) = options.next_name() {
            match name {
                "--dry-run" => target.dry_run = options.flag()?,
                "--env" => target.environment = options.value()?.to_owned(),
                "--config" => target.config = options.value()?.into(),
                "--wait" => target.wait = Duration::from_secs(options.number(0..=3_600)?.into()),
                _ => return Err(options.unknown(HELP)),
            }
        }
        Ok(target)
    }

    /// wrangler, for this target. The environment is always passed: otherwise wrangler warns if a configuration
    /// has several, and `CLOUDFLARE_ENV` would decide.
    fn wrangler(&self, arguments: &[&str]) -> Command {
        let mut wrangler = wrangler(arguments);
        // It builds too.
        wrangler.env_remove(build::EFFORT);
        wrangler.arg("--config").arg(&self.config).arg(self.environment_option());
        wrangler
    }

    fn environment_option(&self) -> String {
        format!("--env={}", self.environment)
    }

    /// What names the target in a command that somebody copies; begins with a space.
    fn words(&self) -> String {
        let mut words = String::new();
        if self.config != Path::new("wrangler.toml") {
            words += &format!(" --config {}", self.config.display());
        }
        words
            + " "
            + &(if self.environment.is_empty() { "--env=\"\"".to_owned() } else { self.environment_option() })
    }

    /// The JSON that wrangler prints, or all that it said.
    fn answer(&self, arguments: &[&str]) -> Result<Value> {
        answer_of(self.wrangler(arguments))?.into_json()
    }
}

/// A string member of a JSON object.
fn text<'a>(object: &'a Value, member: &str) -> Option<&'a str> {
    object.get(member)?.as_str()
}

/// The elements of a JSON array; empty for any other value.
fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_combine_in_any_order_and_either_form() {
        let target = Target::read(&["--env", "staging", "--dry-run", "--wait=5", "--config=a.toml"]).unwrap();
        assert_eq!((target.environment.as_str(), target.dry_run), ("staging", true));
        assert_eq!((target.config, target.wait), (PathBuf::from("a.toml"), Duration::from_secs(5)));
        let target = Target::read(&[]).unwrap();
        assert_eq!((target.environment_option().as_str(), target.dry_run), ("--env=", false));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (arguments, named) in [
            (&["--dryrun"][..], "--dryrun"),
            (&["--dry-run=yes"], "--dry-run takes no value"),
            (&["--env"], "--env needs a value"),
            (&["--wait", "long"], "--wait must be a whole number"),
        ] {
            let error = Target::read(arguments).err().unwrap();
            assert!(error.contains(named), "{error}");
        }
    }
}
