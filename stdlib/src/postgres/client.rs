//! Asking and telling a PostgreSQL server, through `psql`.
//!
//! Statements go in on its standard input and passwords in its environment: neither is on a command line. Rows come back as JSON, one a line.

use crate::{
    Context, Failure, Plan,
    provider::{
        Command, Output,
        tool::{run, tool},
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use zester_compiler::types::{Secret, User};
use zester_stdlib_derive::Arguments;

/// Exit status of `psql` when it could not connect.
const NO_CONNECTION: i32 = 2;

/// Most bytes of rows; there is a line for each table of a schema at most.
const ROWS_LIMIT: usize = 64 * 1024 * 1024;

/// The user of the system whom a server's packages make, and whom a server on the same machine trusts.
const SUPERUSER: &str = "postgres";

/// How a server is reached.
#[derive(Arguments)]
#[shared]
pub(super) struct Server {
    /// User of the system who runs `psql`; `postgres` where the server is on this machine.
    user: Option<User>,
    /// The database that is connected to.
    maintenance_db: Option<String>,
    /// The server's user.
    db_user: Option<String>,
    /// That user's password.
    #[arg(secret)]
    db_password: Option<Secret>,
    /// The server's name, its address, or the directory of its socket; this machine's own if nothing is said.
    db_host: Option<String>,
    /// The server's port.
    db_port: Option<u16>,
}

impl Server {
    fn command(&self, cx: &Context, database: Option<&str>, sql: &str) -> Command {
        let mut words: Vec<String> = [
            "--no-psqlrc",
            "--no-align",
            "--tuples-only",
            "--quiet",
            "--no-password",
            "--set=ON_ERROR_STOP=1",
            // An error repeats the statement otherwise, and a statement may hold a password.
            "--set=VERBOSITY=terse",
        ]
        .map(str::to_owned)
        .to_vec();
        let database = database.or(self.maintenance_db.as_deref()).unwrap_or("postgres");
        words.push(format!("--dbname={}", plain_name(database)));
        let options = [("host", self.db_host.clone()), ("username", self.db_user.clone())];
        let options = options.into_iter().chain([("port", self.db_port.map(|port| port.to_string()))]);
        words.extend(options.filter_map(|(name, value)| Some(format!("--{name}={}", value?))));
        let mut command = tool("psql", words);
        let local = self.db_host.as_ref().is_none_or(|host| host.starts_with('/'));
        command.runas = self
            .user
            .as_deref()
            .map(str::to_owned)
            .or_else(|| cx.runas.as_ref().map(|user| user.to_string()))
            .or_else(|| local.then(|| SUPERUSER.to_owned()));
        command.env = vec![("PGCLIENTENCODING".to_owned(), Some("UTF8".to_owned()))];
        if let Some(Secret(password)) = &self.db_password {
            command.env.push(("PGPASSWORD".to_owned(), Some(password.to_string())));
        }
        command.stdin = Some(sql.as_bytes().to_vec());
        command.output_limit = ROWS_LIMIT;
        command
    }

    /// The rows of a query, each read from JSON. `None` in a test run that cannot ask: an earlier state may install the server, start it, or
    /// make the database.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        cx: &Context,
        database: Option<&str>,
        query: &str,
    ) -> Result<Option<Vec<T>>, Failure> {
        if cx.machine.commands.find("psql").is_none() {
            return if cx.test {
                Ok(None)
            } else {
                Err(Failure::new("this machine has no `psql`; install PostgreSQL, or its client, before"))
            };
        }
        let sql = format!("SELECT row_to_json(answer) FROM ({query}) AS answer;\n");
        let output = match run(cx, self.command(cx, database, &sql)) {
            Ok(output) if output.status == NO_CONNECTION && cx.test => return Ok(None),
            // The user who runs `psql` comes with the server's package.
            Err(_) if cx.test => return Ok(None),
            output => said(output?)?,
        };
        let row = |line: &str| {
            // The row itself may have the hash of a password.
            serde_json::from_str(line)
                .map_err(|e| Failure::new(format!("`psql` answered what is not understood: {e}")))
        };
        output.stdout.lines().filter(|line| !line.is_empty()).map(row).collect::<Result<_, _>>().map(Some)
    }

    /// The plan that something with a name goes for which the query has a row; `what` it is, as in "a user".
    pub(super) fn without<'p>(
        &'p self,
        cx: &Context,
        (what, name): (&str, &str),
        query: &str,
        statement: String,
    ) -> Result<Plan<'p>, Failure> {
        #[derive(Deserialize)]
        struct There {}
        let is_there = !self.ask::<There>(cx, None, query)?.unwrap_or_default().is_empty();
        Ok(Plan::removal((what, name), is_there, move |cx| self.tell(cx, None, &statement)))
    }

    /// Has the server do something.
    pub(super) fn tell(&self, cx: &Context, database: Option<&str>, sql: &str) -> Result<(), Failure> {
        said(run(cx, self.command(cx, database, &format!("{sql}\n")))?)?;
        Ok(())
    }
}

/// A database's name as `psql` takes it: one with a sign that makes it a connection string is written as one.
fn plain_name(database: &str) -> String {
    if !database.contains('=') && !database.contains("://") {
        return database.to_owned();
    }
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// What it said, or its own words of why not.
fn said(output: Output) -> Result<Output, Failure> {
    if output.success() {
        return Ok(output);
    }
    if output.timed_out {
        return Err(Failure::new("`psql` took too long and was ended"));
    }
    let words = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let one = |line: &str| {
        let line = line.trim();
        // `psql:<stdin>:1: ERROR:  …`
        let line =
            line.strip_prefix("psql:<stdin>:").and_then(|rest| rest.split_once(": ")).map_or(line, |x| x.1);
        line.strip_prefix("psql: error: ").unwrap_or(line).replace("ERROR:  ", "")
    };
    let words: Vec<String> = words.lines().map(one).filter(|line| !line.is_empty()).collect();
    Err(Failure::new(format!(
        "PostgreSQL refuses (`psql` exited with {}): {}",
        output.status,
        words.join("; ")
    )))
}

/// A text as SQL writes it, whatever the server's settings.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A name as SQL writes it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Refuses what cannot be a name: PostgreSQL would cut it short.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > 63 || name.contains(|c: char| c.is_control()) {
        return Err(Failure::new(format!(
            "`{}` is not the name of a {what}: PostgreSQL's names have 1 to 63 bytes and no control characters",
            name.escape_debug()
        )));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Program, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    /// The statements that a made-up server was told, without its answers' questions.
    pub(in super::super) type Told = Arc<Mutex<Vec<String>>>;

    /// A machine whose server answers with rows of JSON, made from the query and from what it was told before.
    pub(in super::super) fn machine(
        answer: impl Fn(&str, &[String]) -> String + Send + Sync + 'static,
    ) -> (FakeMachine, Told) {
        let machine = FakeMachine::new();
        let told: Told = Arc::default();
        let log = told.clone();
        machine.commands.on("psql ", move |command, _| {
            let sql = String::from_utf8(command.stdin.clone().unwrap()).unwrap();
            let mut log = log.lock().unwrap();
            if let Some(query) = sql.strip_prefix("SELECT row_to_json(answer) FROM (") {
                return Output { stdout: answer(query, &log), ..Output::default() };
            }
            log.push(sql.trim().to_owned());
            if sql.contains("\"broken\"") {
                let stderr = "psql:<stdin>:1: ERROR:  permission denied to create role\n".to_owned();
                return Output { status: 3, stderr, ..Output::default() };
            }
            Output::default()
        });
        (machine, told)
    }

    fn server(json: &str) -> Server {
        use zester_compiler::types::Arguments;
        Server::from_values(&serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn nothing_secret_is_on_the_command_line() {
        let machine = FakeMachine::new();
        let server =
            server(r#"{"db_host": "db.example", "db_port": 5433, "db_user": "me", "db_password": "geheim"}"#);
        let command = server.command(&machine.context(), Some("a=b"), "SELECT 1");
        let Program::Direct(_, words) = &command.program else { panic!() };
        assert_eq!(
            words[7..],
            ["--dbname=dbname='a=b'", "--host=db.example", "--username=me", "--port=5433"]
        );
        assert!(command.env.contains(&("PGPASSWORD".to_owned(), Some("geheim".to_owned()))));
        assert_eq!(command.runas, None);
    }

    #[test]
    fn the_servers_own_user_asks_where_it_is_local() {
        let machine = FakeMachine::new();
        let runas = |json: &str| server(json).command(&machine.context(), None, "").runas;
        assert_eq!(runas("{}").as_deref(), Some("postgres"));
        assert_eq!(runas(r#"{"db_host": "/run/postgresql"}"#).as_deref(), Some("postgres"));
        assert_eq!(runas(r#"{"user": "dba"}"#).as_deref(), Some("dba"));
    }

    #[test]
    fn names_and_texts_stay_what_they_are() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'; DROP"), r"E'a\\''; DROP'");
        assert_eq!(identifier(r#"a"; DROP ROLE "b"#), r#""a""; DROP ROLE ""b""#);
        assert!(check_name("role", "a\nb").is_err() && check_name("role", &"x".repeat(64)).is_err());
    }

    #[test]
    fn who_cannot_be_asked_is_no_failure_of_a_test_run() {
        let machine = FakeMachine::new();
        machine.commands.on("psql", |_, _| Output {
            status: NO_CONNECTION,
            stderr: "psql: error: connection to server on socket failed: No such file".to_owned(),
            ..Output::default()
        });
        let ask = |cx: &Context| server("{}").ask::<serde_json::Value>(cx, None, "SELECT 1");
        let cx = machine.context();
        let failure = ask(&cx).unwrap_err().message;
        assert!(
            failure.ends_with("exited with 2): connection to server on socket failed: No such file"),
            "{failure}"
        );
        assert_eq!(ask(&Context { test: true, ..cx }).unwrap(), None);
        machine.commands.without("psql");
        assert!(ask(&machine.context()).unwrap_err().message.contains("install PostgreSQL"));
    }
}
