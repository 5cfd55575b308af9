//! Asks at the terminal for values that must not be shown.

use std::{
    io::{IsTerminal, Write, stdin},
    os::fd::AsFd,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr},
    unistd::read,
};

use crate::{error::Result, process::fail_if_stopping};

/// How often to check for Ctrl-C, in milliseconds.
const POLL: u16 = 100;
/// The longest line a terminal delivers, in bytes (`N_TTY`'s canonical mode).
const LINE: usize = 4_096;

/// Whether stdin is a terminal, so that a user can be asked.
pub fn is_there() -> bool {
    stdin().is_terminal()
}

/// Reads one line and trims it. What is typed or pasted is not shown.
pub fn ask_hidden(question: &str) -> Result<String> {
    // Before the question is printed: pasted text may arrive as soon as it appears.
    let hidden = Hidden::begin()?;
    print!("{question} ");
    // If the terminal is gone, reading fails below.
    let _ = std::io::stdout().flush();
    let line = line();
    drop(hidden);
    println!();
    line
}

/// Hides what is typed until it is dropped.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Self> {
        let before = tcgetattr(stdin()).map_err(|error| format!("this terminal cannot be used: {error}"))?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(stdin(), SetArg::TCSANOW, &silent)
            .map_err(|error| format!("this terminal cannot hide what is typed: {error}"))?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing restored.
        let _ = tcsetattr(stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Bypasses std's buffer: `poll` would not see what it already holds.
fn line() -> Result<String> {
    let stdin = stdin();
    let mut line = [0; LINE];
    loop {
        fail_if_stopping()?;
        let mut waiting = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::from(POLL)) {
            Ok(0) | Err(nix::Error::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(format!("the terminal is gone: {error}")),
        }
        let count = read(&stdin, &mut line).map_err(|error| format!("the terminal is gone: {error}"))?;
        let text = line.get(..count).unwrap_or_default();
        if text.is_empty() {
            return Err("the terminal was closed".to_owned());
        }
        return match std::str::from_utf8(text) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(_) => Err("that was not UTF-8 text".to_owned()),
        };
    }
}
