//! `cargo xtask`: set up, run, test, measure and deploy. Needs only Rust (from rustup) and npm.

mod api;
mod bench;
mod browser;
mod build;
mod conformance;
mod cost;
mod data_api;
mod deploy;
mod dev;
mod error;
mod example;
mod fuzz;
mod mongodb;
mod options;
mod process;
mod progress;
mod python;
mod schemathesis;
mod setup;
mod soak;
mod test;
mod webhook;
mod workspace;
mod wrangler;

use std::{io::Write, process::ExitCode};

const HELP: &str = "\
cargo xtask <command>

  dev      set up, build and serve on http://localhost:4000 (PORT), until Ctrl-C
  test     set up, then run every check and test, as CI does
           (or some of: native workerd browser mongodb; `cargo xtask test --help`)
  build    build the Worker into build/ (does nothing when nothing changed)
  api      write the files that describe the API: OpenAPI, AsyncAPI, TypeScript types
  bench    measure the codec, the relay side by side with the official server, what the duration of a login
           reveals, and the path to MongoDB (all, or one of: codec relay login mongodb)
  soak     put the server under load, kill it and its database under it, look for leaks, and print figures
           (load, faults, database, leaks; `cargo xtask soak --help`)
  fuzz     run the fuzz targets under libFuzzer (all, or one; --seconds N; `cargo xtask fuzz --help`)
  webhook  receive webhooks on http://127.0.0.1:4010, check their signatures and print them
  conformance  serve the fixture of the official Socket.IO suites on http://localhost:3000
  example chat  build and serve the chat of examples/chat on http://localhost:4000 (PORT), until Ctrl-C
  mongodb  serve a MongoDB-compatible database for trying, with the Data API in front
  screenshots  take pictures of the client's pages into docs/screenshots
  deploy   deploy to Cloudflare: database, migrations, secrets, Worker; then wait until it is healthy
           (--dry-run, --env NAME; `cargo xtask deploy --help` says what it does and asks)
  cost     compute what a month of calls costs, on Cloudflare and on a rented machine
           (--calls-per-day N, --people P, --minutes M; `cargo xtask cost --help`)
  setup    only install what is missing, and create .dev.vars
  help     show this text

Environment
  PORT             port of the local server (4000)
  ZETRA_STATE_DIR  where `dev` keeps its data (.wrangler/state)
  CHROMIUM         the browser for the client tests (default: the machine's Chromium or Chrome)
  FIREFOX          the other one (default: the machine's Firefox)
  TEST_MONGODB_URI a MongoDB for `test` to use (default: it starts a compatible database of its own)

Everything is installed into target/ and node_modules/ of this folder.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["dev"] => dev::run(),
        ["test", "--help" | "-h"] => {
            print(test::HELP);
            Ok(())
        }
        ["test", rest @ ..] => test::run(rest),
        ["build"] => build::as_told(),
        ["bench", rest @ ..] => bench::run(rest),
        ["fuzz", "--help" | "-h"] => {
            print(fuzz::HELP);
            Ok(())
        }
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["conformance"] => conformance::run(),
        ["example", rest @ ..] => example::run(rest),
        ["api"] => api::run(),
        ["webhook"] => webhook::run(),
        ["mongodb"] => data_api::run(),
        ["screenshots"] => browser::screenshots(),
        ["deploy", "--help" | "-h"] => {
            print(deploy::HELP);
            Ok(())
        }
        ["deploy", rest @ ..] => deploy::run(rest),
        ["cost", "--help" | "-h"] => {
            print(cost::HELP);
            Ok(())
        }
        ["cost", rest @ ..] => cost::run(rest),
        ["soak", "--help" | "-h"] => {
            print(soak::HELP);
            Ok(())
        }
        ["soak", rest @ ..] => soak::run(rest),
        ["setup"] => setup::run(),
        [] | ["help" | "--help" | "-h"] => {
            print(HELP);
            Ok(())
        }
        [unknown, ..] => Err(format!("unknown command or option: {unknown}\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if process::is_stopping() => {
            eprintln!("\nstopped");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) {
    // A closed pipe, as after `| head`, is not an error.
    let _ = writeln!(std::io::stdout(), "{text}");
}
