//! `cargo xtask soak`: the server on real workerd, under load, killed, and left alone, with figures. The scenarios are
//! `tests/soak`; `cargo xtask test` runs the same ones in a short form.

use crate::{
    build, data_api,
    error::Result,
    mongodb,
    options::Options,
    process::{command, run_shown},
    workspace,
};

pub const HELP: &str = "\
cargo xtask soak [part…] [options]

Runs scenarios against the server on workerd on this machine, checks that nothing is lost, and prints figures. Everything
listens on loopback, is bounded in number and time, and ends by itself; with all parts after about half an hour.
docs/reliability.md has our figures.

Parts (all)
  load      2,000 sockets for five minutes; a room of 64; 500 joins, 200 users and 200 password guesses at once; a flood
  faults    workerd killed 20 times under load; half-open connections; a deploy under 200 calls
  database  the Data API server and its database killed under load; needs Python 3.10 to 3.13
  leaks     200 rooms used and left; 50 times asleep and awake

Options
  --only TEXT  only the scenarios whose name contains TEXT
  --seed N     decides the moments of the crashes, which otherwise are new each time
  --short      as small as in `cargo xtask test`, and without judging how long anything takes";

const PARTS: [&str; 4] = ["load", "faults", "database", "leaks"];

#[derive(Default, Debug, PartialEq)]
struct Request<'a> {
    parts: Vec<&'a str>,
    only: Option<&'a str>,
    seed: Option<u32>,
    short: bool,
}

pub fn run(arguments: &[&str]) -> Result<()> {
    let request = read(arguments)?;
    build::run()?;
    let mut node = command(workspace::node_bin("node"), &[]);
    node.arg(workspace::path("tests/soak/run.mjs")).args(&request.parts);
    if request.parts.contains(&"database") {
        mongodb::install()?;
        data_api::build()?;
        node.envs([mongodb::program_variable()]);
    }
    if let Some(text) = request.only {
        node.args(["--only", text]);
    }
    if let Some(seed) = request.seed {
        node.args(["--seed", &seed.to_string()]);
    }
    if request.short {
        node.arg("--short");
    }
    run_shown(node, "See the failed scenarios above.")
}

fn read<'a>(arguments: &'a [&'a str]) -> Result<Request<'a>> {
    let count = arguments.iter().take_while(|argument| !argument.starts_with('-')).count();
    let (parts, rest) = arguments.split_at(count);
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("unknown part: {unknown}\n\n{HELP}"));
    }
    let parts = if parts.is_empty() { PARTS.to_vec() } else { parts.to_vec() };
    let mut request = Request { parts, ..Request::default() };
    let mut options = Options::new(rest);
    while let Some(name) = options.next_name() {
        match name {
            "--only" => request.only = Some(options.value()?),
            "--seed" => request.seed = Some(options.number(0..=u32::MAX)?),
            "--short" => request.short = options.flag()?,
            _ => return Err(options.unknown(HELP)),
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_part_all_are_meant() {
        assert_eq!(
            read(&["--seed=7"]).unwrap(),
            Request { parts: PARTS.to_vec(), seed: Some(7), ..Request::default() }
        );
    }

    #[test]
    fn parts_come_first_and_options_after_them() {
        let request = read(&["load", "leaks", "--only", "a flood", "--short"]).unwrap();
        let expected =
            Request { parts: vec!["load", "leaks"], only: Some("a flood"), seed: None, short: true };
        assert_eq!(request, expected);
    }

    #[test]
    fn what_is_unknown_is_named_with_the_help() {
        for (arguments, reason) in
            [(&["lode"][..], "unknown part: lode"), (&["load", "--sed", "1"], "unknown option: --sed")]
        {
            let error = read(arguments).unwrap_err();
            assert!(error.starts_with(reason) && error.contains(HELP), "{error}");
        }
    }
}
