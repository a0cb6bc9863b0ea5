//! Sets of privileges, as authors and servers write them.

use super::{level::Level, quote::identifier};
use crate::Failure;
use std::collections::BTreeSet;

/// What stands for all of a level.
const ALL: &str = "ALL PRIVILEGES";

/// What a server writes where there is nothing.
const NOTHING: &str = "USAGE";

/// The privileges for everything that MySQL writes one by one where MariaDB writes that it is all of them.
const EVERY: [&str; 29] = [
    "ALTER",
    "ALTER ROUTINE",
    "CREATE",
    "CREATE ROLE",
    "CREATE ROUTINE",
    "CREATE TABLESPACE",
    "CREATE TEMPORARY TABLES",
    "CREATE USER",
    "CREATE VIEW",
    "DELETE",
    "DROP",
    "DROP ROLE",
    "EVENT",
    "EXECUTE",
    "FILE",
    "INDEX",
    "INSERT",
    "LOCK TABLES",
    "PROCESS",
    "REFERENCES",
    "RELOAD",
    "REPLICATION CLIENT",
    "REPLICATION SLAVE",
    "SELECT",
    "SHOW DATABASES",
    "SHOW VIEW",
    "SHUTDOWN",
    "TRIGGER",
    "UPDATE",
];

/// A privilege, perhaps for one column.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Privilege {
    name: String,
    column: Option<String>,
}

/// Some privileges.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Privileges(BTreeSet<Privilege>);

/// What a user may do at a level.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Granted {
    pub(super) privileges: Privileges,
    /// Whether the user may allow it others.
    pub(super) option: bool,
}

/// A text whose quoted parts are `q`s, byte for byte: what is found in it is no part of a name.
fn masked(text: &str) -> String {
    let mut quote = None;
    let mut escaped = false;
    let mut masked = String::with_capacity(text.len());
    for sign in text.chars() {
        let inside = quote.is_some();
        match quote {
            Some(_) if escaped => escaped = false,
            Some('\'' | '"') if sign == '\\' => escaped = true,
            Some(end) if sign == end => quote = None,
            None if ['\'', '"', '`'].contains(&sign) => quote = Some(sign),
            _ => {}
        }
        if inside || quote.is_some() {
            masked.push_str(&"q".repeat(sign.len_utf8()));
        } else {
            masked.push(sign);
        }
    }
    masked
}

/// Where the commas are that are not inside of brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let (mut all, mut start) = (Vec::new(), 0);
    for (at, sign) in masked(text).char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                all.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    all.extend(text.get(start..));
    all.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// A privilege by the one name: MariaDB gave some of them others.
fn named(words: &str) -> String {
    let name = words.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
    match name.as_str() {
        "ALL" => ALL.to_owned(),
        "BINLOG MONITOR" => "REPLICATION CLIENT".to_owned(),
        "DELETE VERSIONING ROWS" => "DELETE HISTORY".to_owned(),
        "REPLICATION REPLICA" => "REPLICATION SLAVE".to_owned(),
        "REPLICA MONITOR" => "SLAVE MONITOR".to_owned(),
        _ => name,
    }
}

impl Privileges {
    /// From `SELECT, INSERT (a, b)`; the privilege to allow others is told apart.
    pub(super) fn of(text: &str) -> Result<Granted, Failure> {
        let wrong = |part: &str| {
            Failure::new(format!(
                "`{}` is no privilege; write `SELECT, INSERT`, `UPDATE (price)` for a column, or `ALL PRIVILEGES`",
                part.escape_debug()
            ))
        };
        let mut granted = Granted::default();
        for part in parts(text) {
            let (name, columns) = match part.split_once('(') {
                Some((name, columns)) => (name, Some(columns.strip_suffix(')').ok_or_else(|| wrong(part))?)),
                None => (part, None),
            };
            let name = named(name);
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ' ';
            if name.is_empty() || !name.chars().all(good) {
                return Err(wrong(part));
            }
            match (name.as_str(), columns) {
                ("GRANT OPTION", None) => granted.option = true,
                (NOTHING, None) => {}
                (_, None) => drop(granted.privileges.0.insert(Privilege { name, column: None })),
                (_, Some(columns)) => {
                    for column in parts(columns) {
                        let column = match column.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
                            Some(quoted) => quoted.replace("``", "`"),
                            None => column.to_owned(),
                        };
                        granted.privileges.0.insert(Privilege { name: name.clone(), column: Some(column) });
                    }
                }
            }
        }
        Ok(granted)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are all of the level.
    pub(super) fn is_all(&self) -> bool {
        self.0.iter().any(|one| one.name == ALL)
    }

    fn has(&self, wanted: &Privilege) -> bool {
        // What is for the whole table is for its columns.
        self.0.contains(wanted) || self.0.contains(&Privilege { column: None, ..wanted.clone() })
    }

    /// Those of them that `have` does not have.
    pub(super) fn missing(&self, have: &Self) -> Self {
        if have.is_all() {
            return Self::default();
        }
        Self(self.0.iter().filter(|one| !have.has(one)).cloned().collect())
    }

    /// Those of `have` that are not among them.
    pub(super) fn more(&self, have: &Self) -> Self {
        if self.is_all() {
            return Self::default();
        }
        Self(have.0.difference(&self.0).cloned().collect())
    }

    /// Those of them that `have` has, one by one or because it has all.
    pub(super) fn held(&self, have: &Self) -> Self {
        if self.is_all() {
            return have.clone();
        }
        let held = |one: &&Privilege| have.is_all() || have.0.contains(*one);
        Self(self.0.iter().filter(held).cloned().collect())
    }

    /// These with those.
    pub(super) fn with(&self, more: &Self) -> Self {
        if more.is_all() { more.clone() } else { Self(self.0.union(&more.0).cloned().collect()) }
    }

    /// These without those; of all of them nobody can tell what is left.
    pub(super) fn without(&self, fewer: &Self) -> Self {
        Self(self.0.difference(&fewer.0).cloned().collect())
    }

    /// As SQL has them.
    pub(super) fn sql(&self) -> String {
        if self.is_all() {
            return ALL.to_owned();
        }
        let one = |one: &Privilege| match &one.column {
            Some(column) => format!("{} ({})", one.name, identifier(column)),
            None => one.name.clone(),
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// As changes show them.
    pub(super) fn shown(&self) -> Vec<String> {
        let one = |one: &Privilege| match &one.column {
            Some(column) => format!("{} ({column})", one.name),
            None => one.name.clone(),
        };
        self.0.iter().map(one).collect()
    }
}

/// What the lines of `SHOW GRANTS` say of a level.
pub(super) fn at(level: &Level, lines: &[String]) -> Granted {
    let mut all = Granted::default();
    for line in lines {
        let Some(rest) = line.strip_prefix("GRANT ") else { continue };
        // A role that is granted is not granted on something.
        let Some(on) = masked(rest).find(" ON ") else { continue };
        let (words, rest) =
            (rest.get(..on).unwrap_or_default(), rest.get(on + " ON ".len()..).unwrap_or_default());
        let Some((found, behind)) = Level::read(rest) else { continue };
        if found != *level {
            continue;
        }
        if let Ok(granted) = Privileges::of(words) {
            all.privileges.0.extend(granted.privileges.0);
        }
        all.option |= masked(behind).contains(" WITH GRANT OPTION");
    }
    let has = |name: &&str| all.privileges.0.contains(&Privilege { name: (*name).to_owned(), column: None });
    if all.privileges.is_all() || (level.is_all() && EVERY.iter().all(has)) {
        all.privileges = Privileges(BTreeSet::from([Privilege { name: ALL.to_owned(), column: None }]));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Privileges {
        Privileges::of(text).unwrap().privileges
    }

    #[test]
    fn read_in_every_form() {
        assert_eq!(set("select,  insert(a, `b``c`)").sql(), "INSERT (`a`), INSERT (`b``c`), SELECT");
        assert_eq!(set("create  temporary tables").sql(), "CREATE TEMPORARY TABLES");
        assert_eq!(set("all").sql(), "ALL PRIVILEGES");
        assert!(set("usage").is_empty());
        assert!(Privileges::of("SELECT, GRANT OPTION").unwrap().option);
        for odd in ["SELECT ON x", "SELECT (a", "SELECT; DROP", "'x'"] {
            let read = Privileges::of(odd);
            assert!(read.is_err() || !read.unwrap().privileges.sql().contains(';'), "{odd}");
        }
    }

    #[test]
    fn compared_as_sets() {
        assert!(set("SELECT, INSERT").missing(&set("insert, select, update")).is_empty());
        assert_eq!(set("SELECT, INSERT").more(&set("insert, select, update")).sql(), "UPDATE");
        assert!(set("SELECT (a)").missing(&set("SELECT")).is_empty());
        assert!(set("SELECT").missing(&set("ALL")).is_empty());
        assert_eq!(set("ALL").missing(&set("SELECT")).sql(), "ALL PRIVILEGES");
        assert_eq!(set("SELECT").held(&set("ALL")).sql(), "SELECT");
        assert_eq!(set("ALL").held(&set("SELECT, DROP")).sql(), "DROP, SELECT");
        assert_eq!(set("REPLICATION CLIENT"), set("BINLOG MONITOR"));
    }

    #[test]
    fn what_servers_show() {
        let lines: Vec<String> = [
            "GRANT SELECT, BINLOG MONITOR ON *.* TO `a'b`@`%` IDENTIFIED BY PASSWORD '*94' REQUIRE SUBJECT ' WITH GRANT OPTION'",
            r"GRANT ALL PRIVILEGES ON `my\_db`.* TO `a'b`@`%` WITH GRANT OPTION",
            "GRANT SELECT (`a`, `b`), INSERT ON `my_db`.`t x` TO `a'b`@`%`",
            "GRANT EXECUTE ON FUNCTION `my_db`.`f` TO `a'b`@`%`",
            "GRANT `role` TO `a'b`@`%`",
            "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION",
        ]
        .map(str::to_owned)
        .to_vec();
        let at = |level: &str| at(&Level::of(level, true).unwrap(), &lines);
        assert_eq!(at("*.*").privileges, set("SELECT, REPLICATION CLIENT"));
        assert!(!at("*.*").option && at("my_db.*").option && at("my_db.*").privileges.is_all());
        assert_eq!(at("my_db.t x").privileges, set("INSERT, SELECT (a, b)"));
        assert_eq!(at("FUNCTION my_db.f").privileges, set("EXECUTE"));
        assert!(at("my_db.f").privileges.is_empty());
        let mysql = vec![format!("GRANT {}, SUPER ON *.* TO `x`@`y`", EVERY.join(", "))];
        assert!(super::at(&Level::of("*.*", true).unwrap(), &mysql).privileges.is_all());
    }
}
