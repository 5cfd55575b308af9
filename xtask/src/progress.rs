//! Progress output for long steps: one line per step with its current action and elapsed time. On a terminal
//! the line is rewritten; in a log a new one is printed every ten seconds.

use std::{
    io::{IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// Whether other output may come between the lines of a step, which then stay whole.
pub static IS_SHARED: AtomicBool = AtomicBool::new(false);

pub struct Step {
    title: String,
    begun: Instant,
    last_line: Instant,
    rewrites: bool,
}

impl Step {
    pub fn begin(title: &str) -> Self {
        let begun = now();
        println!("• {title} …");
        let rewrites = std::io::stdout().is_terminal() && !IS_SHARED.load(Ordering::SeqCst);
        Self { title: title.to_owned(), begun, last_line: begun, rewrites }
    }

    /// Prints the current action, at a limited rate.
    pub fn update(&mut self, doing: &str) {
        let pause = if self.rewrites { 1 } else { 10 };
        if self.last_line.elapsed().as_secs() < pause {
            return;
        }
        self.last_line = now();
        let seconds = self.begun.elapsed().as_secs();
        let line = format!("  {seconds:>4} s  {}: {doing}", self.title);
        if self.rewrites {
            let line: String = line.chars().take(100).collect();
            print!("\r\x1b[2K{line}");
        } else {
            println!("{line}");
        }
        // Continue even if the terminal is gone.
        let _ = std::io::stdout().flush();
    }

    pub fn done(self, outcome: &str) {
        if self.rewrites {
            print!("\r\x1b[2K");
        }
        println!("✓ {} {outcome}({:.1} s)", self.title, self.begun.elapsed().as_secs_f32());
    }
}

/// Nothing here runs on wasm32, where std's clock would panic.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Instant {
    Instant::now()
}
