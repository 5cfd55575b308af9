//! `cargo xtask deploy`: the Worker, its objects, its database and its secret, on Cloudflare.

use crate::{
    build,
    error::Result,
    process::{command, output_of, run_shown},
    workspace,
};

const DATABASE: &str = "zetra";
const NO_DATABASE: &str = "00000000-0000-0000-0000-000000000000";

pub fn run(dry: bool) -> Result<()> {
    build::run()?;
    if dry {
        return run_shown(wrangler(&["deploy", "--dry-run", "--outdir", "target/dry-run"]), "");
    }
    let remedy = "Sign in first: `npx wrangler login`, or set CLOUDFLARE_API_TOKEN.";
    run_shown(wrangler(&["whoami"]), remedy)?;
    let config =
        std::fs::read_to_string(workspace::path("wrangler.toml")).map_err(|error| error.to_string())?;
    if config.contains(NO_DATABASE) {
        run_shown(wrangler(&["d1", "create", DATABASE]), remedy)?;
        return Err(format!(
            "the database was created. Put its id (above) into wrangler.toml in place of {NO_DATABASE}, \
             then run `cargo xtask deploy` again"
        ));
    }
    run_shown(wrangler(&["d1", "migrations", "apply", DATABASE, "--remote"]), remedy)?;
    run_shown(wrangler(&["deploy"]), remedy)?;
    let secrets = output_of(wrangler(&["secret", "list"])).unwrap_or_default();
    if !secrets.contains("JWT_SECRET") {
        println!(
            "\nJWT_SECRET is not set yet. Paste at least 32 random characters, e.g. of `openssl rand -hex 32`:"
        );
        run_shown(wrangler(&["secret", "put", "JWT_SECRET"]), remedy)?;
    }
    Ok(())
}

fn wrangler(arguments: &[&str]) -> std::process::Command {
    let mut wrangler = command(workspace::node_bin("node"), &[]);
    wrangler.arg(workspace::path("node_modules/wrangler/bin/wrangler.js")).args(arguments);
    wrangler
}
