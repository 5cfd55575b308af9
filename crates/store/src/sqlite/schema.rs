//! The schema, which the store creates and migrates itself.
//!
//! Nothing is checked in advance. A statement that meets a missing table or column fails; then the migrations
//! that the database lacks are applied and the batch runs once more. So a database that is up to date costs
//! nothing, and an empty one (a first start, another `--persist-to`) serves its first request.
//!
//! This is not another migration tool: `wrangler d1 migrations apply` reads and writes the same
//! `d1_migrations`, with the same names, so either may come first.
//!
//! Invariants
//! 1. A migration and its row in `d1_migrations` are one transaction, and the row's name is unique: of several
//!    that apply it at once one succeeds, and the others find it applied.
//! 2. A batch runs at most twice.
//! 3. A migration that only adds an index or changes rows makes no statement fail: it is applied along with the
//!    next one that adds a table or a column, or by wrangler.

use super::{Row, Sql, SqlError, Statement, statement};

/// A file in `migrations/`, under the name that wrangler gives it.
struct Migration {
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$(Migration { name: $name, sql: include_str!(concat!("../../migrations/", $name)) }),*]
    };
}

/// In numerical order.
const MIGRATIONS: &[Migration] =
    migrations!["0001_schema.sql", "0002_open_calls.sql", "0003_hosts_and_kept_calls.sql"];

/// Exactly as wrangler writes it.
const CREATE_JOURNAL: &str = "CREATE TABLE IF NOT EXISTS \"d1_migrations\"(
\t\tid         INTEGER PRIMARY KEY AUTOINCREMENT,
\t\tname       TEXT UNIQUE,
\t\tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)";

/// SQLite's error messages for what an older schema lacks.
const MISSING: [&str; 3] = ["no such table", "no such column", "has no column named"];

/// Runs a batch; if the schema is behind, migrates it and runs the batch once more.
pub(super) async fn batch(sql: &impl Sql, statements: &[Statement]) -> Result<Vec<Vec<Row>>, SqlError> {
    match sql.batch(statements.to_vec()).await {
        Err(SqlError(text)) if MISSING.iter().any(|missing| text.contains(missing)) => {
            bring_up(sql).await?;
            sql.batch(statements.to_vec()).await
        }
        outcome => outcome,
    }
}

async fn bring_up(sql: &impl Sql) -> Result<(), SqlError> {
    for migration in MIGRATIONS {
        if is_applied(sql, migration).await? {
            continue;
        }
        if let Err(error) = sql.batch(application(migration)).await
            && !is_applied(sql, migration).await?
        {
            return Err(SqlError(format!("{} cannot be applied: {error}", migration.name)));
        }
    }
    Ok(())
}

async fn is_applied(sql: &impl Sql, migration: &Migration) -> Result<bool, SqlError> {
    let row = statement("SELECT 1 AS applied FROM d1_migrations WHERE name = ?1", [migration.name.into()]);
    let results = sql.batch(vec![statement(CREATE_JOURNAL, []), row]).await?;
    Ok(results.last().is_some_and(|rows| !rows.is_empty()))
}

/// The row comes first: a late second application fails there, before it touches a table.
fn application(migration: &Migration) -> Vec<Statement> {
    let row = statement("INSERT INTO d1_migrations (name) VALUES (?1)", [migration.name.into()]);
    let changes = statements(migration.sql).into_iter().map(|sql| statement(sql, []));
    std::iter::once(row).chain(changes).collect()
}

/// The statements of a text. Semicolons in strings, quoted names and comments do not end one. A trigger's body
/// has semicolons of its own and would be split: a test refuses such a migration.
fn statements(sql: &'static str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let (mut statement, mut rest, mut says_something) = (sql, sql, false);
    while !rest.is_empty() {
        let (token, after) = first_token(rest);
        if token == ";" {
            found.extend(statement.strip_suffix(rest).filter(|_| says_something));
            (statement, says_something) = (after, false);
        } else {
            says_something |= !is_comment(token) && !token.trim().is_empty();
        }
        rest = after;
    }
    found.extend(Some(statement).filter(|_| says_something));
    found.into_iter().map(str::trim).collect()
}

/// A string, a quoted name, a comment or one character, and the rest.
fn first_token(sql: &str) -> (&str, &str) {
    let end_after = |begin: usize, end: &str| {
        let inner = sql.get(begin..).unwrap_or_default();
        inner.find(end).map_or(sql.len(), |length| begin + length + end.len())
    };
    let length = match sql.chars().next() {
        Some('-') if is_comment(sql) => end_after(2, "\n"),
        Some('/') if is_comment(sql) => end_after(2, "*/"),
        Some('\'') => end_after(1, "'"),
        Some('"') => end_after(1, "\""),
        Some('`') => end_after(1, "`"),
        Some('[') => end_after(1, "]"),
        Some(other) => other.len_utf8(),
        None => 0,
    };
    sql.split_at_checked(length).unwrap_or((sql, ""))
}

fn is_comment(token: &str) -> bool {
    token.starts_with("--") || token.starts_with("/*")
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn semicolons_in_strings_names_and_comments_end_no_statement() {
        let sql = "-- a; b
            CREATE TABLE a (b TEXT DEFAULT 'it''s; -- not' /* ; */); ;
            CREATE INDEX \"a;b\" ON a (b) -- the last; one
            ;INSERT INTO [a;] VALUES (`;`, '/*', 1 - -1, 4 / 2, '*/', '€;')
            -- the end;";
        let found = statements(sql);
        let begins = ["-- a; b", "CREATE INDEX", "INSERT INTO [a;]"];
        assert_eq!(found.len(), begins.len(), "{found:#?}");
        for (statement, begin) in found.iter().zip(begins) {
            assert!(statement.starts_with(begin), "{statement}");
        }
        assert_eq!(statements("-- nothing;\n ; /* here;"), Vec::<&str>::new());
        assert_eq!(statements("SELECT 'open;"), ["SELECT 'open;"]);
    }

    #[test]
    fn every_migration_is_embedded_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let files = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let embedded: Vec<_> = MIGRATIONS.iter().map(|migration| migration.name).collect();
        assert_eq!(embedded, names, "MIGRATIONS has each file of {folder}");
    }

    #[test]
    fn statement_by_statement_a_migration_does_what_it_does_as_a_whole() {
        let [whole, piecewise] = [(); 2].map(|()| Connection::open_in_memory().unwrap());
        let schema = |database: &Connection| -> Vec<String> {
            let mut select = database.prepare("SELECT coalesce(sql, name) FROM sqlite_master").unwrap();
            select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        for migration in MIGRATIONS {
            whole.execute_batch(migration.sql).unwrap();
            for sql in statements(migration.sql) {
                piecewise.execute(sql, []).unwrap_or_else(|error| panic!("{error} in:\n{sql}"));
            }
            assert_eq!(schema(&piecewise), schema(&whole), "{}", migration.name);
        }
    }
}
