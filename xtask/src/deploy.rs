//! `cargo xtask deploy`: the Worker, its objects, its database and its secrets, on Cloudflare.
//!
//! What needs an account is written against the help and the source of the pinned wrangler. It is tested with a stand-in
//! for wrangler (`tests/e2e/deploy.test.mjs`), and what wrangler sends and prints with the real one before an API of ours
//! (`tests/e2e/deploy_wrangler.test.mjs`). It was not run against Cloudflare.
//!
//! A secret is uploaded together with the version that needs it (`wrangler deploy --secrets-file`): `wrangler secret
//! put` would put it into the version that is deployed, before the new one is there, and for a Worker that does not exist
//! would first make an empty one. So no version ever answers without its secrets.

mod configuration;
mod database;
mod health;
mod secrets;
mod terminal;
mod upload;

use std::{path::PathBuf, process::Command, time::Duration};

use configuration::Configuration;
use serde_json::Value;

use crate::{
    build,
    error::Result,
    process::{catch_stop_signals, run_shown},
    setup,
    wrangler::wrangler,
};

pub const HELP: &str = "\
cargo xtask deploy [options]

Deploys the Worker to Cloudflare and waits until it is well:

  1. sees that somebody is signed in (`npx wrangler login`, or CLOUDFLARE_API_TOKEN)
  2. looks which secrets the configuration needs and which of them are missing:
       JWT_SECRET                                    always
       MONGO_API_KEY                                 where MONGO_URI is set
       TURN_SHARED_SECRET                            where TURN_SERVER_URL is set,
       or TURN_SERVER_CREDENTIAL                     with TURN_SERVER_USERNAME
       TURN_KEY_API_TOKEN                            where TURN_KEY_ID is set
       WEBHOOK_SECRET                                where WEBHOOK_URL is set
     and asks for each of these, without showing what is typed. For JWT_SECRET it can make a random one.
     Where nobody can be asked it fails, and lists them with the commands that set them.
  3. builds
  4. without MongoDB: creates the D1 database if there is none, writes its id into the configuration, and applies
     the migrations
  5. uploads Worker and secrets together, with NODE_ENV=production
  6. prints the address and requests /health there until it answers 200

Run it again to deploy a change; it asks only for what is missing.

Options
  --dry-run      build, and show what would be uploaded; needs no account
  --env NAME     an environment of the configuration, such as staging ([env.staging] in wrangler.toml): a Worker,
                 a database and secrets of its own
  --config FILE  another configuration than wrangler.toml, seen from the repository's root
  --wait SECONDS how long /health may take (60)

Environment
  CLOUDFLARE_API_TOKEN  signs in without a browser
  ZETRA_WRANGLER        for tests: a script for Node that stands in for wrangler";

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
    // Plain `whoami` says that nobody is signed in and succeeds.
    target
        .answer(&["whoami", "--json"])
        .map_err(|error| format!("nobody is signed in. {SIGN_IN}\n\n{error}"))?;
    database::check(&configuration)?;
    let secrets = secrets::ask_for_missing(&target, &configuration)?;
    build::run()?;
    database::prepare(&target, &configuration)?;
    let address = upload::upload(&target, secrets)?;
    health::wait(&address, target.wait)
}

/// What the command line says: what is deployed, and how.
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
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let (name, given) =
                argument.split_once('=').map_or((*argument, None), |(name, value)| (name, Some(value)));
            let mut value = || {
                let value = given.or_else(|| arguments.next().copied());
                value.ok_or_else(|| format!("{name} needs a value; `cargo xtask deploy --help` says which"))
            };
            match name {
                "--dry-run" if given.is_none() => target.dry_run = true,
                "--env" => target.environment = value()?.to_owned(),
                "--config" => target.config = value()?.into(),
                "--wait" => {
                    let seconds = value()?;
                    target.wait = seconds.parse().map(Duration::from_secs).map_err(|_| {
                        format!("--wait needs a number of seconds, such as 60, not {seconds:?}")
                    })?;
                }
                _ => return Err(format!("unknown option: {argument}\n\n{HELP}")),
            }
        }
        Ok(target)
    }

    /// wrangler, for this target. The environment is always named: where a configuration has several, wrangler warns
    /// otherwise, and `CLOUDFLARE_ENV` would decide.
    fn wrangler(&self, arguments: &[&str]) -> Command {
        let mut wrangler = wrangler(arguments);
        wrangler.arg("--config").arg(&self.config).arg(self.environment_option());
        wrangler
    }

    fn environment_option(&self) -> String {
        format!("--env={}", self.environment)
    }

    /// The JSON that wrangler prints, or all that it said.
    fn answer(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = self.wrangler(arguments);
        let output = command.stdin(std::process::Stdio::null()).output();
        let output = output.map_err(|error| format!("cannot start wrangler: {error}"))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = || format!("{printed}{}", String::from_utf8_lossy(&output.stderr)).trim().to_owned();
        if !output.status.success() {
            return Err(said());
        }
        serde_json::from_str(&printed)
            .map_err(|_| format!("`wrangler {}` printed no JSON:\n{}", arguments.join(" "), said()))
    }
}

/// A member of a JSON object that is a text.
fn text<'a>(object: &'a Value, member: &str) -> Option<&'a str> {
    object.get(member)?.as_str()
}

/// The elements of a JSON array; none of anything else.
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
            (&["--dry-run=yes"], "--dry-run=yes"),
            (&["--env"], "--env needs a value"),
            (&["--wait", "long"], "number of seconds"),
        ] {
            let error = Target::read(arguments).err().unwrap();
            assert!(error.contains(named), "{error}");
        }
    }
}
