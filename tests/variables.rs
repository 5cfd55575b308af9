//! What the code reads of its environment is what `wrangler.toml` and `docs/deploy.md` tell.

#[test]
fn every_variable_that_is_read_stands_in_wrangler_toml_and_is_told_in_the_docs() {
    let sources = [
        include_str!("../crates/runtime/src/config.rs"),
        include_str!("../crates/runtime/src/database.rs"),
        include_str!("../crates/runtime/src/data_api/access.rs"),
    ];
    let source: String =
        sources.into_iter().filter_map(|source| source.split("#[cfg(test)]").next()).collect();
    let wrangler = include_str!("../wrangler.toml");
    let documents = include_str!("../docs/deploy.md");
    let quoted = source.split('"').skip(1).step_by(2);
    let is_name = |text: &&str| {
        text.len() > 5 && text.contains('_') && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let mut names = 0;
    for name in quoted.filter(is_name) {
        names += 1;
        assert!(wrangler.contains(name), "{name} is read but not in wrangler.toml");
        let row = format!("| `{name}` |");
        assert!(documents.contains(&row), "{name} is read but not in the table of docs/deploy.md");
    }
    assert!(names > 25, "the names were not found: {names}");
}

#[test]
fn staging_has_what_it_does_not_inherit() {
    let wrangler = include_str!("../wrangler.toml");
    let (top, staging) = wrangler.split_once("\n[env.staging]\n").unwrap();
    let names = |text: &str, key: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once(" = "));
        lines.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).collect()
    };
    // With MongoDB there need be no D1 database.
    for text in [top, staging] {
        let has_mongodb = names(text, "MONGO_URI").iter().any(|uri| uri != "\"\"");
        assert!(has_mongodb || names(text, "binding").iter().any(|name| name == "\"DB\""));
    }
    assert_eq!(names(staging, "routes").len(), 1, "otherwise it would inherit production's domain");
    assert_eq!(names(top, "class_name"), names(staging, "class_name"));
    let variables = |text: &str, section: &str| -> Vec<String> {
        let (_, lines) = text.split_once(section).unwrap();
        let lines = lines.lines().skip(1).take_while(|line| !line.is_empty());
        lines.filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect()
    };
    assert_eq!(variables(top, "\n[vars]"), variables(staging, "\n[env.staging.vars]"));
    assert!(variables(top, "\n[vars]").len() > 25);
}
