//! Schemathesis from PyPI, which makes requests from the OpenAPI document that nobody has thought of.

use std::path::PathBuf;

use crate::{error::Result, python::Environment};

const ENVIRONMENT: Environment = Environment {
    name: "schemathesis",
    purpose: "which tests the API by its document",
    requirements: include_str!("../../tests/e2e/schemathesis_requirements.txt"),
    fallback: None,
    pythons: 11..=13,
    remedy: "Python 3.11 to 3.13 with venv and pip is needed (Debian: python3-venv). Is PyPI reachable?",
};

pub fn install() -> Result<()> {
    ENVIRONMENT.install()
}

/// The program, once [`install`] has run.
pub fn program() -> PathBuf {
    ENVIRONMENT.program("st")
}
