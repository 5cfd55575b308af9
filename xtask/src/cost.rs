//! `cargo xtask cost`: what a month of calls costs on Cloudflare, part by part, and on a rented virtual machine.
//!
//! It is arithmetic over three tables: what a call uses, which tests measure ([`counts`]), what each unit costs
//! ([`prices`]), and what is assumed where nothing was measured ([`model`]). `docs/cost.md` explains it.

mod counts;
mod model;
mod prices;
mod report;
mod svg;

use std::path::Path;

use counts::Counts;
use model::Load;

use crate::{error::Result, options::Options, workspace};

pub const HELP: &str = "\
cargo xtask cost [options]

Computes what a month of calls costs on Cloudflare's Workers Paid plan, part by part, and what the same calls would cost
on a rented virtual machine running Node. docs/cost.md says how, and what is assumed.

Options
  --calls-per-day N  calls a day (1000)
  --people P         people in each, 2 to 8 (3)
  --minutes M        how long each lasts (20)
  --turn PERCENT     percentage of connections relayed through Cloudflare's TURN service (0)
  --svg FILE         also writes a chart to FILE";

pub fn run(arguments: &[&str]) -> Result<()> {
    let (load, svg) = read(arguments)?;
    let counts = Counts::read()?;
    let month = model::month(&load, &counts)?;
    print!("{}", report::text(&load, &month));
    if let Some(file) = svg {
        let path = workspace::root().join(file);
        std::fs::write(&path, svg::picture(&load, &month))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn read<'a>(arguments: &'a [&'a str]) -> Result<(Load, Option<&'a Path>)> {
    let mut load = Load::default();
    let mut svg = None;
    let mut options = Options::new(arguments);
    while let Some(name) = options.next_name() {
        match name {
            "--calls-per-day" => load.calls_per_day = options.number(1..=100_000_000)?,
            "--people" => load.people = options.number(2..=8)?,
            "--minutes" => load.minutes = options.number(1..=1_440)?,
            "--turn" => load.turn_percent = options.number(0..=100)?,
            "--svg" => svg = Some(Path::new(options.value()?)),
            _ => return Err(options.unknown(HELP)),
        }
    }
    Ok((load, svg))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_read_and_what_is_left_out_is_the_default() {
        let (load, svg) = read(&["--people=2", "--svg", "x.svg"]).unwrap();
        assert_eq!((load.calls_per_day, load.people, load.minutes, load.turn_percent), (1_000, 2, 20, 0));
        assert_eq!(svg, Some(Path::new("x.svg")));
    }

    #[test]
    fn what_the_tables_cannot_answer_is_refused() {
        for (arguments, reason) in [
            (&["--people", "9"][..], "--people must be a whole number from 2 to 8"),
            (&["--minutes", "0"], "--minutes must be"),
            (&["--calls-per-day", "many"], "--calls-per-day must be"),
            (&["--minutes"], "--minutes needs a value"),
            (&["--price", "1"], "unknown option: --price"),
        ] {
            let error = read(arguments).err().unwrap();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
