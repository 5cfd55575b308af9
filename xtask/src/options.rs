//! The options of a command: `--name value`, `--name=value`, or `--name` alone. What they mean is the command's to say.

use std::ops::RangeInclusive;

use crate::error::Result;

pub struct Options<'a> {
    arguments: &'a [&'a str],
    /// The argument that is being read, and what it is without its value.
    argument: &'a str,
    name: &'a str,
    given: Option<&'a str>,
}

impl<'a> Options<'a> {
    pub fn new(arguments: &'a [&'a str]) -> Self {
        Self { arguments, argument: "", name: "", given: None }
    }

    /// The next option's name.
    pub fn next_name(&mut self) -> Option<&'a str> {
        self.argument = self.take()?;
        (self.name, self.given) = match self.argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (self.argument, None),
        };
        Some(self.name)
    }

    /// Of an option that has no value.
    pub fn flag(&self) -> Result<bool> {
        match self.given {
            None => Ok(true),
            Some(_) => Err(format!("{} takes no value: {}", self.name, self.argument)),
        }
    }

    pub fn value(&mut self) -> Result<&'a str> {
        let value = self.given.take().or_else(|| self.take());
        value.ok_or_else(|| format!("{} needs a value; --help says which", self.name))
    }

    pub fn number(&mut self, range: RangeInclusive<u32>) -> Result<u32> {
        let value = self.value()?;
        value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = range.into_inner();
            format!("{} must be a whole number from {least} to {most}, not {value:?}", self.name)
        })
    }

    /// The error for a name that the command does not know.
    pub fn unknown(&self, help: &str) -> String {
        format!("unknown option: {}\n\n{help}", self.argument)
    }

    fn take(&mut self) -> Option<&'a str> {
        let (first, rest) = self.arguments.split_first()?;
        self.arguments = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_after_an_equals_sign_or_as_the_next_argument() {
        let mut options = Options::new(&["--a=1", "--b", "2", "--c", "--d=x=y"]);
        assert_eq!((options.next_name(), options.number(0..=9)), (Some("--a"), Ok(1)));
        assert_eq!((options.next_name(), options.value()), (Some("--b"), Ok("2")));
        assert_eq!((options.next_name(), options.flag()), (Some("--c"), Ok(true)));
        assert_eq!((options.next_name(), options.value()), (Some("--d"), Ok("x=y")));
        assert_eq!(options.next_name(), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let mut options = Options::new(&["--a=1", "--b=ten", "--c"]);
        options.next_name();
        assert_eq!(options.flag().unwrap_err(), "--a takes no value: --a=1");
        assert!(options.unknown("HELP").contains("--a=1\n\nHELP"));
        options.next_name();
        let error = options.number(1..=9).unwrap_err();
        assert_eq!(error, "--b must be a whole number from 1 to 9, not \"ten\"");
        options.next_name();
        assert!(options.value().unwrap_err().starts_with("--c needs a value"));
    }
}
