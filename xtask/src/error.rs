//! Command errors: a message for the person at the terminal.

/// Why a command failed, and what to do about it.
pub type Result<T> = std::result::Result<T, String>;
