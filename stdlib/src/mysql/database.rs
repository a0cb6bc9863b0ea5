//! `mysql_database.present`, `mysql_database.absent`

use super::{
    client::Server,
    quote::{check_name, check_word, identifier, literal},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use zester_stdlib_derive::Arguments;

/// A database of a MariaDB or MySQL server exists. Character set and collation are what new tables have; those that there are keep theirs.
///
/// ```yaml
/// shop:
///   mysql_database.present:
///     - character_set: utf8mb4
///     - collate: utf8mb4_unicode_ci
/// ```
#[derive(Arguments)]
#[state("mysql_database.present")]
pub(crate) struct Present {
    /// The database.
    #[arg(primary)]
    name: String,
    /// Its character set; the server's own for a new one if nothing is said.
    character_set: Option<String>,
    /// Its order of texts; the character set's own for a new one if nothing is said.
    collate: Option<String>,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Database {
    character_set: String,
    collate: String,
}

fn find(cx: &Context, server: &Server, name: &str) -> Result<Option<Database>, Failure> {
    let query = format!(
        "SELECT JSON_OBJECT('character_set', DEFAULT_CHARACTER_SET_NAME, 'collate', DEFAULT_COLLATION_NAME) \
         FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
        literal(name)
    );
    Ok(server.ask(cx, &query)?.unwrap_or_default().into_iter().next())
}

/// A name in the one form: servers call `utf8` by the name `utf8mb3` from some version on.
fn folded(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("utf8mb3") {
        Some(rest) => format!("utf8{rest}"),
        None => name,
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("database", name)?;
        self.character_set.iter().try_for_each(|word| check_word("character set", word))?;
        self.collate.iter().try_for_each(|word| check_word("collation", word))?;
        let database = find(cx, &self.server, name)?;
        let have = database.as_ref();
        let mut changes = Changes::new();
        if have.is_none() {
            changes.insert(name.clone(), change((), "a database"));
        }
        let mut options = String::new();
        let differs =
            |wanted: &str, have: Option<&String>| have.is_none_or(|have| folded(have) != folded(wanted));
        let texts = [
            ("character_set", "CHARACTER SET", &self.character_set, have.map(|have| &have.character_set)),
            ("collate", "COLLATE", &self.collate, have.map(|have| &have.collate)),
        ];
        for (what, words, wanted, have) in texts {
            let Some(wanted) = wanted else { continue };
            // A character set that is named again would bring its own collation.
            options.push_str(&format!(" {words} {}", literal(wanted)));
            if differs(wanted, have) {
                changes.insert(what.to_owned(), change(have.cloned(), wanted.as_str()));
            }
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the database `{name}` is as it should be")));
        }
        let (verb, is) = if have.is_some() { ("ALTER", "changed") } else { ("CREATE", "made") };
        Ok(Plan::change(changes, format!("the database `{name}` is {is}"), move |cx| {
            self.server.tell(cx, &format!("{verb} DATABASE {}{options};", identifier(&self.name)))?;
            Ok(Outcome::default())
        }))
    }
}

/// A database of a MariaDB or MySQL server does not exist, nor any of its tables.
///
/// ```yaml
/// shop:
///   mysql_database.absent: []
/// ```
#[derive(Arguments)]
#[state("mysql_database.absent")]
pub(crate) struct Absent {
    /// The database.
    #[arg(primary)]
    name: String,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("database", name)?;
        let is_there = find(cx, &self.server, name)?.is_some();
        Ok(Plan::removal(("database", name), is_there, move |cx| {
            self.server.tell(cx, &format!("DROP DATABASE {};", identifier(&self.name)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::client::tests::{MARIADB, machine},
        *,
    };

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    /// The one database, whose character set the statements change.
    fn row(told: &[String], there: bool) -> String {
        let mut database = there.then(|| ("utf8mb3".to_owned(), "utf8mb3_general_ci".to_owned()));
        for sql in told {
            let quoted = |after: &str| sql.split(after).nth(1).and_then(|rest| rest.split('\'').next());
            if sql.starts_with("DROP") {
                database = None;
                continue;
            }
            let (set, collate) = database.unwrap_or(("latin1".to_owned(), "latin1_swedish_ci".to_owned()));
            let set = quoted("CHARACTER SET '").map_or(set, str::to_owned);
            database = Some((set, quoted("COLLATE '").map_or(collate, str::to_owned)));
        }
        database
            .map(|(set, collate)| format!("{{\"character_set\": \"{set}\", \"collate\": \"{collate}\"}}\n"))
            .unwrap_or_default()
    }

    #[test]
    fn made_with_all_that_it_has() {
        let (machine, told) = machine(MARIADB, |_, told| row(told, false));
        let wanted = args(r#"{"name": "a`b", "character_set": "utf8mb4", "collate": "utf8mb4_bin"}"#);
        let changes = machine.converge::<Present>(&wanted).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["a`b", "character_set", "collate"]);
        assert_eq!(
            *told.lock().unwrap(),
            ["CREATE DATABASE `a``b` CHARACTER SET 'utf8mb4' COLLATE 'utf8mb4_bin';"]
        );
        assert!(machine.converge::<Present>(&args(r#"{"name": "a`b"}"#)).unwrap().changes.is_empty());
    }

    #[test]
    fn what_differs_is_changed() {
        let (machine, told) = machine(MARIADB, |_, told| row(told, true));
        let same = args(r#"{"name": "shop", "character_set": "UTF8", "collate": "utf8_general_ci"}"#);
        assert!(machine.converge::<Present>(&same).unwrap().changes.is_empty());
        let other = args(r#"{"name": "shop", "character_set": "utf8", "collate": "utf8_bin"}"#);
        let changes = machine.converge::<Present>(&other).unwrap().changes;
        assert_eq!(changes["collate"], change("utf8mb3_general_ci", "utf8_bin"));
        assert_eq!(told.lock().unwrap().len(), 1);
        let odd = machine.converge::<Present>(&args(r#"{"name": "shop", "collate": "a b"}"#)).unwrap_err();
        assert!(odd.message.contains("no collation"), "{}", odd.message);
    }

    #[test]
    fn removed_once() {
        let (machine, told) = machine(MARIADB, |_, told| row(told, true));
        let gone = machine.converge::<Absent>(&args(r#"{"name": "shop"}"#)).unwrap();
        assert_eq!(gone.changes["shop"], change("a database", ()));
        assert_eq!(*told.lock().unwrap(), ["DROP DATABASE `shop`;"]);
    }
}
