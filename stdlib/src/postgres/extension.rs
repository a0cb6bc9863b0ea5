//! `postgres_extension.present`, `postgres_extension.absent`

use super::client::{Server, check_name, identifier, literal};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use zester_stdlib_derive::Arguments;

/// An extension is installed in the database that `maintenance_db` names.
///
/// ```yaml
/// pgcrypto:
///   postgres_extension.present:
///     - maintenance_db: app
///     - require:
///       - postgres_database: app
/// ```
#[derive(Arguments)]
#[state("postgres_extension.present")]
pub(crate) struct Present {
    /// The extension.
    #[arg(primary)]
    name: String,
    /// The schema it is in.
    schema: Option<String>,
    /// Its version; every one will do if nothing is said.
    ext_version: Option<String>,
    /// The version of what was there before extensions were.
    #[arg(inert = "PostgreSQL 13 and later take it no more")]
    from_version: Option<String>,
    /// Whether it is no error that the extension is there.
    #[arg(inert = "an extension that is there is never an error")]
    if_not_exists: Option<bool>,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Extension {
    version: String,
    schema: String,
}

fn find(cx: &Context, server: &Server, name: &str) -> Result<Option<Extension>, Failure> {
    let query = format!(
        "SELECT e.extversion AS version, n.nspname AS schema FROM pg_extension e \
         JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = {}",
        literal(name)
    );
    Ok(server.ask(cx, None, &query)?.unwrap_or_default().into_iter().next())
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("extension", name)?;
        self.schema.as_ref().map_or(Ok(()), |schema| check_name("schema", schema))?;
        let have = find(cx, &self.server, name)?;
        let mut changes = Changes::new();
        let mut sql = String::new();
        let quoted = identifier(name);
        let new = |wanted: &Option<String>, have: Option<&String>| wanted.clone().filter(|w| Some(w) != have);
        let version = new(&self.ext_version, have.as_ref().map(|e| &e.version));
        let schema = new(&self.schema, have.as_ref().map(|e| &e.schema));
        match &have {
            None => {
                changes.insert(name.clone(), change((), "an extension"));
                sql.push_str(&format!("CREATE EXTENSION {quoted}"));
                if let Some(schema) = &schema {
                    sql.push_str(&format!(" SCHEMA {}", identifier(schema)));
                }
                if let Some(version) = &version {
                    sql.push_str(&format!(" VERSION {}", literal(version)));
                }
                sql.push(';');
            }
            Some(_) => {
                if let Some(version) = &version {
                    sql.push_str(&format!("ALTER EXTENSION {quoted} UPDATE TO {};\n", literal(version)));
                }
                if let Some(schema) = &schema {
                    sql.push_str(&format!("ALTER EXTENSION {quoted} SET SCHEMA {};\n", identifier(schema)));
                }
            }
        }
        let now = |of: fn(&Extension) -> &String| have.as_ref().map(|extension| of(extension).clone());
        if let Some(version) = version {
            changes.insert("version".to_owned(), change(now(|e| &e.version), version));
        }
        if let Some(schema) = schema {
            changes.insert("schema".to_owned(), change(now(|e| &e.schema), schema));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the extension `{name}` is installed")));
        }
        Ok(Plan::change(changes, format!("the extension `{name}` is installed from now on"), move |cx| {
            self.server.tell(cx, None, &sql)?;
            Ok(Outcome::default())
        }))
    }
}

/// An extension is not installed in the database that `maintenance_db` names.
///
/// ```yaml
/// pgcrypto:
///   postgres_extension.absent:
///     - maintenance_db: app
/// ```
#[derive(Arguments)]
#[state("postgres_extension.absent")]
pub(crate) struct Absent {
    /// The extension.
    #[arg(primary)]
    name: String,
    /// Whether all that needs it goes, too.
    #[arg(default = false)]
    cascade: bool,
    /// Whether it stays while something needs it.
    #[arg(inert = "what something needs stays, unless `cascade` says otherwise")]
    restrict: Option<bool>,
    /// Whether it is no error that there is no such extension.
    #[arg(inert = "an extension that is not there is never an error")]
    if_exists: Option<bool>,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("extension", name)?;
        let Some(extension) = find(cx, &self.server, name)? else {
            return Ok(Plan::unchanged(format!("there is no extension `{name}`")));
        };
        let changes = Changes::from_iter([(name.clone(), change(extension.version, ()))]);
        Ok(Plan::change(changes, format!("the extension `{name}` is removed"), move |cx| {
            let how = if self.cascade { " CASCADE" } else { "" };
            self.server.tell(cx, None, &format!("DROP EXTENSION {}{how};", identifier(&self.name)))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    fn row(told: &[String], there: bool) -> String {
        let all = told.join(" ");
        if all.contains("DROP") || !(there || all.contains("CREATE")) {
            return String::new();
        }
        let (version, schema) = (
            if all.contains("'1.3'") { "1.3" } else { "1.2" },
            if all.contains("\"ext\"") { "ext" } else { "public" },
        );
        format!("{{\"version\":\"{version}\",\"schema\":\"{schema}\"}}\n")
    }

    #[test]
    fn installed_and_updated() {
        let (fresh, told) = machine(|_, told| row(told, false));
        let wanted =
            args(r#"{"name": "uuid-ossp", "schema": "ext", "ext_version": "1.3", "maintenance_db": "app"}"#);
        let changes = fresh.converge::<Present>(&wanted).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["uuid-ossp", "version", "schema"]);
        assert_eq!(*told.lock().unwrap(), ["CREATE EXTENSION \"uuid-ossp\" SCHEMA \"ext\" VERSION '1.3';"]);
        assert!(fresh.commands.lines().iter().all(|line| line.ends_with("--dbname=app")));
        let (old, told) = machine(|_, told| row(told, true));
        assert_eq!(old.converge::<Present>(&wanted).unwrap().changes["version"], change("1.2", "1.3"));
        assert_eq!(
            *told.lock().unwrap(),
            [
                "ALTER EXTENSION \"uuid-ossp\" UPDATE TO '1.3';\nALTER EXTENSION \"uuid-ossp\" SET SCHEMA \"ext\";"
            ]
        );
    }

    #[test]
    fn removed_with_what_needs_it() {
        let (machine, told) = machine(|_, told| row(told, true));
        let gone = machine.converge::<Absent>(&args(r#"{"name": "x", "cascade": true}"#)).unwrap();
        assert_eq!(gone.changes["x"], change("1.2", ()));
        assert_eq!(*told.lock().unwrap(), ["DROP EXTENSION \"x\" CASCADE;"]);
    }
}
