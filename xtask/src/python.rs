//! Programs from PyPI, for tests only: each in a virtual environment of its own under target/.

use std::{fs, ops::RangeInclusive, path::PathBuf};

use crate::{
    error::Result,
    process::{command, output_of, run_quietly},
    progress::Step,
    workspace,
};

/// What is installed together.
pub struct Environment {
    /// Its folder in target/tools, and what it is called while it is being installed.
    pub name: &'static str,
    pub purpose: &'static str,
    /// The text of a requirements file.
    pub requirements: &'static str,
    /// What is tried where those are not to be had any more.
    pub fallback: Option<&'static str>,
    /// The Pythons that it runs on: the minor versions of 3.
    pub pythons: RangeInclusive<u32>,
    /// What to do where none of them is there, or nothing can be downloaded.
    pub remedy: &'static str,
}

impl Environment {
    /// One of its programs, once [`Environment::install`] has run.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder().join("bin").join(name)
    }

    /// Installs it, unless it is there with the same requirements, at the same place, and runs.
    pub fn install(&self) -> Result<()> {
        let stamp = self.folder().join("installed");
        // Its programs contain its path, and its Python is the system's.
        let whole = format!("{}\n{}", self.folder().display(), self.requirements);
        let runs = || output_of(command(self.program("python"), &["-c", ""])).is_some();
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == whole) && runs() {
            return Ok(());
        }
        let Self { name, purpose, requirements, fallback, remedy, .. } = self;
        let mut step = Step::begin(&format!("installing {name}, {purpose}, once"));
        let mut venv = command(self.python()?, &["-m", "venv", "--clear"]);
        venv.arg(self.folder());
        run_quietly(venv, &mut step, remedy)?;
        if let Err(error) = self.pip(requirements, &mut step) {
            let Some(fallback) = fallback else { return Err(error) };
            println!("  {name} cannot be installed, another version is tried:\n{error}");
            self.pip(fallback, &mut step)?;
        }
        fs::write(&stamp, whole).map_err(|error| format!("{}: {error}", stamp.display()))?;
        step.done("");
        Ok(())
    }

    fn pip(&self, requirements: &str, step: &mut Step) -> Result<()> {
        let file = self.folder().join("requirements.txt");
        fs::write(&file, requirements).map_err(|error| format!("{}: {error}", file.display()))?;
        let arguments = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
        let mut pip = command(self.program("pip"), &arguments);
        pip.arg(file);
        run_quietly(pip, step, self.remedy)
    }

    fn folder(&self) -> PathBuf {
        workspace::path("target/tools").join(self.name)
    }

    fn python(&self) -> Result<String> {
        let (oldest, newest) = self.pythons.clone().into_inner();
        let fits = format!("import sys; print((3, {oldest}) <= sys.version_info[:2] <= (3, {newest}))");
        std::iter::once("python3".to_owned())
            .chain(self.pythons.clone().rev().map(|minor| format!("python3.{minor}")))
            .find(|python| output_of(command(python, &["-c", &fits])).as_deref() == Some("True"))
            .ok_or_else(|| format!("Python 3.{oldest} to 3.{newest} was not found. {}", self.remedy))
    }
}
