//! `postgres_database.present`, `postgres_database.absent`

use super::client::{Server, check_name, identifier, literal};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use zester_stdlib_derive::Arguments;

/// A database of a PostgreSQL server exists. Owner and tablespace of an existing one are changed; its encoding and locale cannot be, and where they
/// differ the state fails.
///
/// ```yaml
/// app:
///   postgres_database.present:
///     - owner: app
///     - encoding: UTF8
///     - template: template0
///     - require:
///       - postgres_user: app
/// ```
#[derive(Arguments)]
#[state("postgres_database.present")]
pub(crate) struct Present {
    /// The database.
    #[arg(primary)]
    name: String,
    /// The tablespace it is in.
    tablespace: Option<String>,
    /// Its encoding, as `UTF8`.
    encoding: Option<String>,
    /// Its order of texts, as `de_DE.UTF-8`.
    lc_collate: Option<String>,
    /// Its classes of characters.
    lc_ctype: Option<String>,
    /// Its owner.
    owner: Option<String>,
    /// Whether, when the owner changes, the old owner's tables, views and sequences get the new one, too.
    #[arg(default = false)]
    owner_recurse: bool,
    /// The database it is made from; `template0` allows every encoding and locale.
    template: Option<String>,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Database {
    owner: String,
    tablespace: String,
    encoding: String,
    lc_collate: Option<String>,
    lc_ctype: Option<String>,
}

/// Names of encodings and locales without case and signs: `UTF-8` is `utf8`.
fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What is written of a locale that PostgreSQL and the system name differently: `de_DE.UTF-8` and `de_DE.utf8`.
fn same(wanted: &str, have: &str) -> bool {
    folded(wanted) == folded(have) || (folded(wanted) == "unicode" && folded(have) == "utf8")
}

impl Present {
    fn find(&self, cx: &Context) -> Result<Option<Database>, Failure> {
        let query = format!(
            "SELECT pg_get_userbyid(d.datdba) AS owner, t.spcname AS tablespace, \
             pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS lc_collate, d.datctype AS lc_ctype \
             FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = {}",
            literal(&self.name)
        );
        Ok(self.server.ask(cx, None, &query)?.unwrap_or_default().into_iter().next())
    }

    /// What cannot be changed any more has to be as it is wanted.
    fn check_fixed(&self, database: &Database) -> Result<(), Failure> {
        let have = [
            ("encoding", &self.encoding, Some(&database.encoding)),
            ("lc_collate", &self.lc_collate, database.lc_collate.as_ref()),
            ("lc_ctype", &self.lc_ctype, database.lc_ctype.as_ref()),
        ];
        for (what, wanted, have) in have {
            if let (Some(wanted), Some(have)) = (wanted, have)
                && !same(wanted, have)
            {
                return Err(Failure::new(format!(
                    "the database `{}` has the {what} `{have}`, not `{wanted}`; PostgreSQL cannot change it: dump it, remove it, and make it again",
                    self.name
                )));
            }
        }
        Ok(())
    }

    fn creation(&self) -> String {
        let mut sql = format!("CREATE DATABASE {}", identifier(&self.name));
        let names = [("OWNER", &self.owner), ("TEMPLATE", &self.template), ("TABLESPACE", &self.tablespace)];
        for (word, name) in names {
            if let Some(name) = name {
                sql.push_str(&format!(" {word} = {}", identifier(name)));
            }
        }
        let texts =
            [("ENCODING", &self.encoding), ("LC_COLLATE", &self.lc_collate), ("LC_CTYPE", &self.lc_ctype)];
        for (word, text) in texts {
            if let Some(text) = text {
                sql.push_str(&format!(" {word} = {}", literal(text)));
            }
        }
        sql + ";"
    }
}

/// Gives what one user owns in a database to another: each thing by itself, because `REASSIGN OWNED` refuses for the user that the system's own
/// tables belong to. A column's own sequence goes with its table.
fn hand_over(old: &str, new: &str) -> String {
    format!(
        "SELECT format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, {}::text) FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner \
         WHERE r.rolname = {} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
         AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND NOT (c.relkind = 'S' AND EXISTS \
         (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass \
         AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))) \\gexec",
        literal(new),
        literal(old)
    )
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("database", name)?;
        for (what, other) in
            [("user", &self.owner), ("database", &self.template), ("tablespace", &self.tablespace)]
        {
            other.as_ref().map_or(Ok(()), |other| check_name(what, other))?;
        }
        let mut changes = Changes::new();
        let Some(database) = self.find(cx)? else {
            changes.insert(name.clone(), change((), "a database"));
            for (what, wanted) in [("owner", &self.owner), ("tablespace", &self.tablespace)] {
                if let Some(wanted) = wanted {
                    changes.insert(what.to_owned(), change((), wanted.as_str()));
                }
            }
            return Ok(Plan::change(changes, format!("the database `{name}` is made"), move |cx| {
                self.server.tell(cx, None, &self.creation())?;
                Ok(Outcome::default())
            }));
        };
        self.check_fixed(&database)?;
        let quoted = identifier(name);
        let owner = self.owner.as_ref().filter(|owner| **owner != database.owner);
        if let Some(owner) = owner {
            changes.insert("owner".to_owned(), change(database.owner.as_str(), owner.as_str()));
        }
        let tablespace = self.tablespace.as_ref().filter(|space| **space != database.tablespace);
        if let Some(space) = tablespace {
            changes.insert("tablespace".to_owned(), change(database.tablespace.as_str(), space.as_str()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the database `{name}` is as it should be")));
        }
        Ok(Plan::change(changes, format!("the database `{name}` is changed"), move |cx| {
            if let Some(owner) = owner {
                let new = identifier(owner);
                self.server.tell(cx, None, &format!("ALTER DATABASE {quoted} OWNER TO {new};"))?;
                if self.owner_recurse {
                    self.server.tell(cx, Some(&self.name), &hand_over(&database.owner, owner))?;
                }
            }
            if let Some(space) = tablespace {
                let sql = format!("ALTER DATABASE {quoted} SET TABLESPACE {};", identifier(space));
                self.server.tell(cx, None, &sql)?;
            }
            Ok(Outcome::default())
        }))
    }
}

/// A database of a PostgreSQL server does not exist. One that is in use stays, and the server says so.
///
/// ```yaml
/// app:
///   postgres_database.absent: []
/// ```
#[derive(Arguments)]
#[state("postgres_database.absent")]
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
        let query = format!("SELECT datname FROM pg_database WHERE datname = {}", literal(name));
        let statement = format!("DROP DATABASE {};", identifier(name));
        self.server.without(cx, ("database", name), &query, statement)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    /// The one database `app`, whose owner the statements change.
    fn row(told: &[String], there: bool) -> String {
        let all = told.join(" ");
        if all.contains("DROP") || !(there || all.contains("CREATE")) {
            return String::new();
        }
        let owner = if all.contains("OWNER") { "app" } else { "postgres" };
        format!(
            "{{\"owner\":\"{owner}\",\"tablespace\":\"pg_default\",\"encoding\":\"UTF8\",\"lc_collate\":\"de_DE.utf8\",\"lc_ctype\":null}}\n"
        )
    }

    #[test]
    fn made_with_all_that_it_has() {
        let (machine, told) = machine(|_, told| row(told, false));
        let wanted = args(
            r#"{"name": "a\"b", "owner": "app", "encoding": "UTF-8", "lc_collate": "de_DE.UTF-8", "template": "template0"}"#,
        );
        let changes = machine.converge::<Present>(&wanted).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["a\"b", "owner"]);
        assert_eq!(
            *told.lock().unwrap(),
            [
                "CREATE DATABASE \"a\"\"b\" OWNER = \"app\" TEMPLATE = \"template0\" ENCODING = 'UTF-8' LC_COLLATE = 'de_DE.UTF-8';"
            ]
        );
    }

    #[test]
    fn an_owner_changes_and_an_encoding_does_not() {
        let (machine, told) = machine(|_, told| row(told, true));
        let owner = args(r#"{"name": "app", "owner": "app", "owner_recurse": true, "encoding": "unicode"}"#);
        assert_eq!(machine.converge::<Present>(&owner).unwrap().changes["owner"], change("postgres", "app"));
        assert!(told.lock().unwrap()[1].ends_with("\\gexec"));
        let other = args(r#"{"name": "app", "encoding": "LATIN1"}"#);
        let failure = machine.converge::<Present>(&other).unwrap_err().message;
        assert!(failure.starts_with("the database `app` has the encoding `UTF8`, not `LATIN1`"), "{failure}");
    }

    #[test]
    fn removed_once() {
        let (machine, _) = machine(|_, told| row(told, true));
        let gone = machine.converge::<Absent>(&args(r#"{"name": "app"}"#)).unwrap();
        assert_eq!(gone.changes["app"], change("a database", ()));
    }
}
