//! Accounts: a person's username, email address and password.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::{Invalid, Timestamp, UserId, limits};

/// A user without secrets: no hash, no token version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    pub id: UserId,
    pub username: Username,
    pub email: Email,
    #[serde(rename = "createdAt")]
    pub created_at: Timestamp,
}

/// 3–20 of `[A-Za-z0-9_]`, unique as typed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Username(String);

impl Username {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |message: &str| Err(Invalid::field("username", message));
        let count = text.chars().count();
        if count < *limits::USERNAME_CHARS.start() {
            return invalid("Username must be at least 3 characters long");
        }
        if count > *limits::USERNAME_CHARS.end() {
            return invalid("Username must be at most 20 characters long");
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return invalid("Username can only contain letters, numbers, and underscores");
        }
        Ok(Self(text.to_owned()))
    }

    /// A name that is already stored: a database taken over may contain names that today's rules refuse.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An email address, trimmed and in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let email = text.trim().to_lowercase();
        let well_formed = email.split_once('@').is_some_and(|(local, domain)| {
            let dotted = domain.char_indices().any(|(at, c)| c == '.' && at > 0 && at + 1 < domain.len());
            !local.is_empty() && !domain.contains('@') && dotted
        });
        let short = email.chars().count() <= limits::EMAIL_CHARS;
        let spaced = email.chars().any(char::is_whitespace);
        if well_formed && short && !spaced {
            Ok(Self(email))
        } else {
            Err(Invalid::field("email", "Invalid email format"))
        }
    }

    /// An address that is already stored: a database taken over may contain addresses that today's rules
    /// refuse.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password that is being set: 8–128 characters with an upper-case letter, a lower-case letter and a digit.
/// Its text never appears in a `Debug` or a log.
pub struct Password(SecretString);

impl Password {
    /// `field` is the name under which the client sent it.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let invalid = |message: &str| Err(Invalid::field(field, message));
        let count = text.chars().count();
        if count < *limits::PASSWORD_CHARS.start() {
            return invalid("Password must be at least 8 characters long");
        }
        if count > *limits::PASSWORD_CHARS.end() {
            return invalid("Password must be at most 128 characters long");
        }
        if !text.chars().any(|c| c.is_ascii_uppercase()) {
            return invalid("Password must contain at least one uppercase letter");
        }
        if !text.chars().any(|c| c.is_ascii_lowercase()) {
            return invalid("Password must contain at least one lowercase letter");
        }
        if !text.chars().any(|c| c.is_ascii_digit()) {
            return invalid("Password must contain at least one number");
        }
        Ok(Self(SecretString::from(text)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password offered as proof of identity: there is no rule but a bound on its length, since users of the Node
/// backend could have set weaker ones.
pub struct PasswordAttempt(SecretString);

impl PasswordAttempt {
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if text.chars().count() > limits::PASSWORD_ATTEMPT_CHARS {
            return Err(Invalid::field(field, "Password must be at most 1024 characters long"));
        }
        Ok(Self(SecretString::from(text)))
    }

    pub(crate) fn text(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PasswordAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordAttempt(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_trimmed_and_lower_cased() {
        assert_eq!(Email::parse("  Ann@Example.COM ").unwrap().as_str(), "ann@example.com");
    }

    #[test]
    fn malformed_emails_are_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in
            ["", "a", "a@b", "@b.c", "a@@b.c", "a@b@c.d", "a b@c.d", "a@.c", "a@b.", "a@b\u{a0}.c", &long]
        {
            assert_eq!(Email::parse(text).unwrap_err().message, "Invalid email format", "{text}");
        }
        assert!(Email::parse("a@b..c").is_ok(), "the Node backend's rule accepts it, so do we");
    }

    #[test]
    fn usernames_tell_which_rule_they_break() {
        for (text, message) in [
            ("ab", "Username must be at least 3 characters long"),
            ("a23456789012345678901", "Username must be at most 20 characters long"),
            ("a-b-c", "Username can only contain letters, numbers, and underscores"),
            ("ébène", "Username can only contain letters, numbers, and underscores"),
        ] {
            assert_eq!(Username::parse(text).unwrap_err().message, message, "{text}");
        }
        assert!(Username::parse("Ann_1").is_ok());
    }

    #[test]
    fn passwords_tell_which_rule_they_break() {
        let long = format!("Aa1{}", "x".repeat(126));
        for (text, message) in [
            ("Aa1", "Password must be at least 8 characters long"),
            (long.as_str(), "Password must be at most 128 characters long"),
            ("abcdefg1", "Password must contain at least one uppercase letter"),
            ("ABCDEFG1", "Password must contain at least one lowercase letter"),
            ("Abcdefgh", "Password must contain at least one number"),
        ] {
            assert_eq!(Password::parse("password", text).unwrap_err().message, message, "{text}");
        }
    }

    #[test]
    fn a_password_does_not_show_in_debug() {
        let password = Password::parse("password", "Sup3rSecret").unwrap();
        assert!(!format!("{password:?}").contains("Sup3r"));
    }
}
