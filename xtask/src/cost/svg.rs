//! The month as a picture: for each part, how much of the included amount is used, and the cost. Plain SVG in
//! the colours of the reader's light or dark theme, without a background of its own.

use std::fmt::Write;

use super::{
    model::{Load, Month},
    prices,
    report::{busy, machines, money, quantity, title},
};

const WIDTH: usize = 760;
const ROW: usize = 28;
const TOP: usize = 64;
/// The left edge of the bars.
const LEFT: usize = 190;
const BAR: f64 = 330.0;

const STYLE: &str = "\
text{font:14px system-ui,sans-serif;fill:#1f2328}.small{font-size:12px;fill:#59636e}.sum{font-weight:600}\
.end{text-anchor:end}.all{fill:#d1d9e0}.used{fill:#0969da}.over{fill:#bc4c00}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.all{fill:#3d444d}.used{fill:#4493f8}.over{fill:#f0883e}}";

pub fn picture(load: &Load, month: &Month) -> String {
    let height = TOP + ROW * (month.lines.len() + 3) + 12;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n",
        title = title(load)
    );
    // Writing to a String cannot fail.
    let mut add = |element: String| {
        let _ = writeln!(svg, "{element}");
    };
    add(label(0, 20, "sum", &title(load)));
    add(label(LEFT, 44, "small", "how much is used of what Cloudflare's Workers Paid plan includes"));
    add(label(WIDTH, 44, "small end", "dollars a month"));
    for (index, line) in month.lines.iter().enumerate() {
        let y = TOP + ROW * index;
        let share = line.used / line.price.included;
        let class = if share > 1.0 { "over" } else { "used" };
        add(label(0, y + 15, "", line.price.part));
        add(format!(
            "<rect class=\"all\" x=\"{LEFT}\" y=\"{}\" width=\"{BAR}\" height=\"12\" rx=\"2\"/>",
            y + 4
        ));
        let width = (BAR * share.min(1.0)).max(1.0);
        add(format!(
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"12\" rx=\"2\"/>",
            y + 4
        ));
        let percent = if share < 0.01 { "under 1".to_owned() } else { format!("{:.0}", 100.0 * share) };
        let used = format!("{} ({percent} %)", quantity(line.used, line.price.unit));
        add(label(LEFT + BAR as usize + 10, y + 15, "small", &used));
        add(label(WIDTH, y + 15, "end", &money(line.dollars)));
    }
    let sums = [
        ("the plan itself".to_owned(), String::new(), prices::SUBSCRIPTION, ""),
        ("Cloudflare".to_owned(), String::new(), month.cloudflare, "sum"),
        ("Node, rented".to_owned(), format!("{}, {}", machines(month), busy(month)), month.rented, "sum"),
    ];
    for (index, (name, small, dollars, class)) in sums.iter().enumerate() {
        let y = TOP + ROW * (month.lines.len() + index) + 15;
        add(label(0, y, class, name));
        add(label(LEFT, y, "small", small));
        add(label(WIDTH, y, &format!("end {class}"), &money(*dollars)));
    }
    svg + "</svg>\n"
}

/// All texts are ours and contain no characters that XML requires to be escaped.
fn label(x: usize, y: usize, class: &str, text: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" class=\"{}\">{text}</text>", class.trim())
}

#[cfg(test)]
mod tests {
    use super::{super::counts::Counts, *};
    use crate::{cost::model, workspace};

    #[test]
    fn the_picture_in_docs_is_the_one_of_the_defaults() {
        let load = Load::default();
        let month = model::month(&load, &Counts::read().unwrap()).unwrap();
        let committed = std::fs::read_to_string(workspace::path("docs/cost.svg")).unwrap();
        assert!(
            committed == picture(&load, &month),
            "docs/cost.svg is not what is computed now: cargo xtask cost --svg docs/cost.svg"
        );
    }
}
