//! The D1 database: creates it on the first run, writes its id into the configuration, applies its migrations.

use std::{fs, path::Path};

use super::{
    Target,
    configuration::{BINDING, Configuration, Database},
    elements, text,
};
use crate::{error::Result, process::run_shown, workspace};

/// Checks that the configuration can be deployed, before any prompt or build.
pub fn check(configuration: &Configuration) -> Result<()> {
    let file = configuration.file.display();
    match (&configuration.database, configuration.variable("MONGO_URI")) {
        (None, None) => Err(format!(
            "{file} has neither a database with the binding {BINDING} ([[d1_databases]]) nor a MONGO_URI"
        )),
        // Cloudflare rejects a binding to a database that does not exist (its code 10021).
        (Some(Database { id: None, .. }), Some(_)) => Err(format!(
            "{file} sets MONGO_URI, so D1 is not used, but still binds a D1 database that was never created, which \
             Cloudflare rejects. Remove its d1_databases section from {file}"
        )),
        _ => Ok(()),
    }
}

/// Does nothing if the data is in MongoDB.
pub fn prepare(target: &Target, configuration: &Configuration) -> Result<()> {
    let Some(database) =
        configuration.database.as_ref().filter(|_| configuration.variable("MONGO_URI").is_none())
    else {
        return Ok(());
    };
    if database.id.is_none() {
        create(target, configuration, &database.name)?;
    }
    let mut apply = target.wrangler(&["d1", "migrations", "apply", &database.name, "--remote"]);
    // Otherwise wrangler asks whether to go on, and ends well without migrations where the answer is no.
    apply.env("CI", "1");
    run_shown(apply, "Run `cargo xtask deploy` again; what is applied is not applied twice.")
}

/// Looks its id up by name first: it may exist from an interrupted run, or have been created by hand.
fn create(target: &Target, configuration: &Configuration, name: &str) -> Result<()> {
    let id = match id_of(target, name)? {
        Some(id) => id,
        None => {
            run_shown(target.wrangler(&["d1", "create", name]), "")?;
            id_of(target, name)?
                .ok_or_else(|| format!("the database {name} was created but is not listed"))?
        }
    };
    write_id(&configuration.file, &target.environment, &id)?;
    println!("✓ put the id of the database {name}, {id}, into {}: commit it", configuration.file.display());
    Ok(())
}

fn id_of(target: &Target, name: &str) -> Result<Option<String>> {
    let list = target.answer(&["d1", "list", "--json"]);
    let list = list.map_err(|said| format!("the databases cannot be listed:\n{said}"))?;
    let found = elements(&list).iter().find(|database| text(database, "name") == Some(name));
    Ok(found.and_then(|database| text(database, "uuid")).map(str::to_owned))
}

fn write_id(file: &Path, environment: &str, id: &str) -> Result<()> {
    let path = workspace::root().join(file);
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(&path).map_err(failed)?;
    let changed = with_id(&text, environment, id).ok_or_else(|| {
        format!(
            "the database has the id {id}. Put it into {} as database_id, and run this again",
            file.display()
        )
    })?;
    fs::write(&path, changed).map_err(failed)
}

/// The configuration with that id in the environment's section for our binding, and otherwise unchanged. `None`
/// if it is not laid out as in wrangler.toml. wrangler itself edits only JSON configurations.
fn with_id(text: &str, environment: &str, id: &str) -> Option<String> {
    let header = if environment.is_empty() {
        "[[d1_databases]]".to_owned()
    } else {
        format!("[[env.{environment}.d1_databases]]")
    };
    let is_key = |line: &str, key: &str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    let mut begin = 0;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    while let Some(found) = lines.get(begin..)?.iter().position(|line| line.trim() == header) {
        let first = begin + found + 1;
        let rest = lines.get(first..)?;
        let length = rest.iter().position(|line| line.starts_with('[')).unwrap_or(rest.len());
        let section = rest.get(..length)?;
        let ours =
            section.iter().any(|line| is_key(line, "binding") && line.contains(&format!("\"{BINDING}\"")));
        if let Some(at) = section.iter().position(|line| is_key(line, "database_id")).filter(|_| ours) {
            let before: String = lines.get(..first + at)?.concat();
            let after: String = lines.get(first + at + 1..)?.concat();
            return Some(format!("{before}database_id = \"{id}\"\n{after}"));
        }
        begin = first + length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = "\
name = \"zetra\"

[[d1_databases]]
binding = \"OTHER\"
database_id = \"0\"

# Ours.
[[d1_databases]]
binding = \"DB\"
database_id = \"0\"
migrations_dir = \"m\"

[[env.staging.d1_databases]]
binding = \"DB\"
database_id = \"0\"
";

    #[test]
    fn the_id_goes_into_the_section_of_our_binding_and_environment_and_nothing_else_changes() {
        let ours = "binding = \"DB\"\ndatabase_id = \"0\"\nmigrations_dir";
        let expected = CONFIGURATION.replace(ours, &ours.replace('0', "new"));
        assert_eq!(with_id(CONFIGURATION, "", "new").unwrap(), expected);
        let staging = "[[env.staging.d1_databases]]\nbinding = \"DB\"\ndatabase_id = \"0\"";
        let expected = CONFIGURATION.replace(staging, &staging.replace('0', "new"));
        assert_eq!(with_id(CONFIGURATION, "staging", "new").unwrap(), expected);
    }

    #[test]
    fn a_configuration_that_is_written_otherwise_is_left_alone() {
        assert_eq!(with_id("d1_databases = [{ binding = \"DB\" }]\n", "", "new"), None);
        assert_eq!(with_id(CONFIGURATION, "production", "new"), None);
    }
}
