//! `mysql_query.run`, `mysql_query.run_file`

use super::{
    client::Server,
    quote::{check_name, literal},
};
use crate::{
    Changes, Context, Failure, Outcome, Plan, State,
    file::desired::Desired,
    provider::files,
    source::{self, Candidate, Verify},
};
use serde::Deserialize;
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// Where statements are run, and what becomes of what the server writes.
#[derive(Arguments)]
#[shared]
struct Execution {
    /// What the state is called.
    #[arg(primary)]
    name: String,
    /// The database.
    database: String,
    /// The file that gets what the server writes; only its owner can read it.
    output: Option<String>,
    /// Whether a file that is there is written again; otherwise the statements are not run.
    #[arg(default = true)]
    overwrite: bool,
    /// Whether it is looked before whether the database is there.
    #[arg(default = true)]
    check_db_exists: bool,
    /// The fact that gets what the server writes.
    #[arg(inert = "facts are not written by states; name a file in `output`")]
    grain: Option<String>,
    /// The part of that fact.
    #[arg(inert = "facts are not written by states; name a file in `output`")]
    key: Option<String>,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Database {}

impl Execution {
    fn is_there(&self, cx: &Context) -> Result<bool, Failure> {
        let query = format!(
            "SELECT JSON_OBJECT('name', SCHEMA_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
            literal(&self.database)
        );
        let rows: Option<Vec<Database>> = self.server.ask(cx, &query)?;
        Ok(rows.is_some_and(|rows| !rows.is_empty()))
    }

    /// Runs the statements, which are read when they are needed.
    fn plan<'p>(
        &'p self,
        cx: &Context,
        statements: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<Plan<'p>, Failure> {
        check_name("database", &self.database)?;
        if let Some(output) = &self.output {
            if !output.starts_with('/') {
                return Err(Failure::new(format!(
                    "`output` of `{}` is `{output}`, which is no absolute path of a file",
                    self.name
                )));
            }
            if !self.overwrite && files::stat(cx, output)?.is_some() {
                return Ok(Plan::unchanged(format!("`{output}` is there, and nothing is run")));
            }
        }
        let statements = statements()?;
        // In a test run an earlier state may make it.
        if self.check_db_exists && !cx.test && !self.is_there(cx)? {
            return Err(Failure::new(format!(
                "there is no database `{}` to run `{}` in; `mysql_database.present` makes it",
                self.database, self.name
            )));
        }
        let changes = Changes::from_iter([("query".to_owned(), "executed".into())]);
        let comment = format!("`{}` is run in the database `{}`", self.name, self.database);
        Ok(Plan::change(changes, comment, move |cx| {
            let rows = self.server.query(cx, &self.database, statements)?;
            if let Some(output) = &self.output {
                let mut file = Desired::content(output.clone(), rows.into_bytes());
                file.attributes.mode = Some(0o600);
                if let Some(write) = file.plan(cx)?.apply {
                    write(cx)?;
                }
            }
            Ok(Outcome::default())
        }))
    }
}

/// Statements are run in a database of a MariaDB or MySQL server, each time: `unless` and `onlyif` say when they need not be. What the server writes, a
/// line for each row and tabs between its columns, goes to a file if one is named.
///
/// ```yaml
/// orders have a number:
///   mysql_query.run:
///     - database: shop
///     - query: ALTER TABLE orders ADD COLUMN IF NOT EXISTS number int
///     - unless: test -e /var/lib/shop/migrated
/// ```
#[derive(Arguments)]
#[state("mysql_query.run")]
pub(crate) struct Run {
    /// Where.
    #[arg(flatten)]
    execution: Execution,
    /// The statements.
    query: String,
    /// Flags of the connection.
    #[arg(inert = "the client sets its flags by itself")]
    client_flags: Option<Value>,
}

impl State for Run {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        self.execution.plan(cx, || Ok(self.query.clone().into_bytes()))
    }
}

/// The statements of a file are run in a database of a MariaDB or MySQL server, each time: `unless` and `onlyif` say when they need not be. What the
/// server writes goes to a file if one is named, as with `mysql_query.run`.
///
/// ```yaml
/// the shop has its tables:
///   mysql_query.run_file:
///     - database: shop
///     - query_file: /usr/share/shop/tables.sql
///     - unless: test -e /var/lib/shop/tables
/// ```
#[derive(Arguments)]
#[state("mysql_query.run_file")]
pub(crate) struct RunFile {
    /// Where.
    #[arg(flatten)]
    execution: Execution,
    /// The file of the statements: of the state tree, of the machine, or of the web.
    #[arg(ty = Type::Source)]
    query_file: String,
    /// Environment of the state tree, where it is not the state's own.
    saltenv: Option<String>,
    /// Checksum of the file; needed for files of the web.
    source_hash: Option<String>,
    /// Takes a file of the web as it comes, without a checksum.
    #[arg(default = false)]
    skip_verify: bool,
    /// Flags of the connection.
    #[arg(inert = "the client sets its flags by itself")]
    client_flags: Option<Value>,
}

impl RunFile {
    fn statements(&self, cx: &Context) -> Result<Vec<u8>, Failure> {
        let text = &self.query_file;
        // In a test run an earlier state may make it.
        if cx.test && text.starts_with('/') && files::stat(cx, text)?.is_none() {
            return Ok(Vec::new());
        }
        let (hash, env) = (self.source_hash.clone(), self.saltenv.clone());
        let verify = Verify { hash, skip: self.skip_verify, env, ..Verify::default() };
        let candidate = Candidate { text: text.clone(), hash: None };
        let fetched = source::fetch(cx, &[candidate], &verify, text, |_| Ok(false))?;
        let fetched = fetched.ok_or_else(|| Failure::new(format!("`{text}` cannot be read")))?;
        Ok(fetched.content.to_vec())
    }
}

impl State for RunFile {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        self.execution.plan(cx, || self.statements(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::client::tests::{MARIADB, machine},
        *,
    };
    use zester_compiler::types::Arguments;

    fn state(json: &str) -> Run {
        Run::from_values(&serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn run_each_time_in_its_database() {
        let (machine, told) = machine(MARIADB, |query, _| {
            if query.contains("'shop'") { "{\"name\": \"shop\"}\n".to_owned() } else { String::new() }
        });
        let cx = machine.context();
        let run = state(r#"{"name": "x", "database": "shop", "query": "DELETE FROM old"}"#);
        let foretold = run.plan(&Context { test: true, ..cx.clone() }).unwrap().changes;
        let plan = run.plan(&cx).unwrap();
        assert_eq!(foretold, plan.changes);
        plan.apply.unwrap()(&cx).unwrap();
        assert_eq!(*told.lock().unwrap(), ["DELETE FROM old"]);
        assert!(machine.commands.lines().last().unwrap().ends_with("--database=shop"));
        let none = state(r#"{"name": "x", "database": "none", "query": "SELECT 1"}"#);
        assert!(none.plan(&cx).err().unwrap().message.contains("`mysql_database.present` makes it"));
        assert!(none.plan(&Context { test: true, ..cx }).unwrap().apply.is_some());
    }

    #[test]
    fn a_file_gets_what_the_server_writes() {
        let (machine, _) = machine(MARIADB, |_, _| String::new());
        machine.commands.on("mariadb --batch --default-character-set=utf8mb4 --local-infile=0 --connect-timeout=20 --database=shop", |_, _| {
            crate::provider::Output { stdout: "id\n1\n".to_owned(), ..Default::default() }
        });
        let cx = machine.context();
        let json = r#"{"name": "x", "database": "shop", "query": "SELECT id FROM t", "output": "/rows", "overwrite": false, "check_db_exists": false}"#;
        let changes = machine.converge::<Run>(&serde_json::from_str(json).unwrap()).unwrap().changes;
        assert_eq!(changes["query"], "executed".into());
        assert_eq!(cx.machine.files.read("/rows").unwrap(), b"id\n1\n");
        assert_eq!(cx.machine.files.stat("/rows", true).unwrap().unwrap().mode & 0o777, 0o600);
        let odd = state(r#"{"name": "x", "database": "shop", "query": "SELECT 1", "output": "grain"}"#);
        assert!(odd.plan(&cx).err().unwrap().message.contains("no absolute path"));
    }

    #[test]
    fn a_file_is_run() {
        let (machine, told) = machine(MARIADB, |_, _| "{\"name\": \"shop\"}\n".to_owned());
        let run = |json: &str| {
            let state = RunFile::from_values(&serde_json::from_str(json).unwrap()).unwrap();
            let cx = machine.context();
            let foretold = state.plan(&Context { test: true, ..cx.clone() })?.changes;
            let plan = state.plan(&cx)?;
            assert_eq!(foretold, plan.changes);
            plan.apply.map(|apply| apply(&cx)).transpose()
        };
        let json = r#"{"name": "x", "database": "shop", "query_file": "/srv/a.sql"}"#;
        let failure = run(json).unwrap_err().message;
        assert!(failure.contains("`/srv/a.sql`"), "{failure}");
        machine.files.put("/srv/a.sql", b"DELIMITER //\nSELECT 1//\n");
        run(json).unwrap();
        assert_eq!(*told.lock().unwrap(), ["DELIMITER //\nSELECT 1//"]);
        let once = r#"{"name": "x", "database": "shop", "query_file": "/srv/a.sql", "output": "/rows", "overwrite": false}"#;
        machine.converge::<RunFile>(&serde_json::from_str(once).unwrap()).unwrap();
        assert_eq!(told.lock().unwrap().len(), 2);
        assert!(run(once).unwrap().is_none());
    }
}
