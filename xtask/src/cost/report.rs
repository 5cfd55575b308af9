//! The month as a table of text.

use std::fmt::Write;

use super::{
    model::{Load, Month},
    prices,
};

pub fn text(load: &Load, month: &Month) -> String {
    let mut text = format!("{}\n\n", title(load));
    // Writing to a String cannot fail.
    let mut row = |part: &str, used: &str, included: &str, dollars: &str| {
        let _ = writeln!(text, "  {part:<22}{used:>20}{included:>20}{dollars:>10}");
    };
    row("Cloudflare", "used", "included", "$");
    row("Workers Paid plan", "", "", &money(prices::SUBSCRIPTION));
    for line in &month.lines {
        let [used, included] = [line.used, line.price.included].map(|count| quantity(count, line.price.unit));
        row(line.price.part, &used, &included, &money(line.dollars));
    }
    row("together", "", "", &money(month.cloudflare));
    let stored = month.lines.iter().find(|line| line.price.part == prices::D1_STORAGE.part);
    if stored.is_some_and(|stored| stored.used > prices::D1_LARGEST) {
        let largest = quantity(prices::D1_LARGEST, "GB");
        let _ =
            writeln!(text, "\n  One D1 database holds {largest}: delete old rooms and logs, or use MongoDB.");
    }
    text.push('\n');
    let mut row = |part: &str, used: &str, dollars: &str| {
        let _ = writeln!(text, "  {part:<22}{used:>40}{dollars:>10}");
    };
    row("Node, rented", "used", "$");
    row(&machines(month), &busy(month), &money(month.machines * prices::MACHINE));
    if let Some(sent) = &month.sent {
        row("relayed", &quantity(sent.used, sent.price.unit), &money(sent.dollars));
    }
    row("together", "", &money(month.rented));
    text
}

pub fn title(load: &Load) -> String {
    let turn = match load.turn_percent {
        0 => String::new(),
        percent => format!(", {percent} % of the connections relayed"),
    };
    format!(
        "{} calls a day of {} people and {} minutes{turn}: {} in a month",
        quantity(f64::from(load.calls_per_day), ""),
        load.people,
        load.minutes,
        quantity(load.calls(), "")
    )
}

pub fn machines(month: &Month) -> String {
    if month.machines == 1.0 { "1 machine".to_owned() } else { format!("{} machines", month.machines) }
}

pub fn busy(month: &Month) -> String {
    format!("{:.1} % busy in the busiest hour", 100.0 * month.busy / month.machines)
}

pub fn money(dollars: f64) -> String {
    format!("{dollars:.2}")
}

/// A whole number below a million, otherwise three significant digits; with its unit.
pub fn quantity(number: f64, unit: &str) -> String {
    let text = match number {
        _ if number >= 1e9 => format!("{} billion", digits(number / 1e9)),
        _ if number >= 1e6 => format!("{} million", digits(number / 1e6)),
        _ if number < 10.0 && number.fract() != 0.0 => format!("{number:.2}"),
        _ => thousands(number),
    };
    format!("{text} {unit}").trim_end().to_owned()
}

fn digits(number: f64) -> String {
    let decimals = match number {
        _ if number >= 100.0 => 0,
        _ if number >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::{counts::Counts, model},
        *,
    };

    #[test]
    fn the_documents_say_what_is_computed_now() {
        let counts = Counts::read().unwrap();
        let [page, readme] = [include_str!("../../../docs/cost.md"), include_str!("../../../README.md")];
        for (calls_per_day, words) in [
            (10, None),
            (1_000, Some(("About ", " dollars a month on Cloudflare's paid plan for 1,000 calls a day"))),
            (20_000, Some(("about ", " for 20,000"))),
        ] {
            let load = Load { calls_per_day, ..Load::default() };
            let month = model::month(&load, &counts).unwrap();
            let text = text(&load, &month);
            let shown = format!("$ cargo xtask cost --calls-per-day {calls_per_day}\n{text}");
            assert!(page.contains(&shown), "docs/cost.md has another output:\n{shown}");
            let Some((before, after)) = words else { continue };
            let sentence = format!("{before}{:.0}{after}", month.cloudflare);
            assert!(readme.contains(&sentence), "README.md does not say: {sentence}");
        }
    }

    #[test]
    fn quantities_read_well() {
        for (number, text) in [
            (0.0, "0"),
            (0.26, "0.26"),
            (999.6, "1,000"),
            (30_000.0, "30,000"),
            (1e6, "1 million"),
            (2_345_678.0, "2.35 million"),
            (41_500_000.0, "41.5 million"),
            (25e9, "25 billion"),
        ] {
            assert_eq!(quantity(number, ""), text);
        }
        assert_eq!(quantity(5.0, "GB"), "5 GB");
    }
}
