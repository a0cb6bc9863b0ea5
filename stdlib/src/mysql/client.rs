//! Asking and telling a MariaDB or MySQL server, through its command line client.
//!
//! Statements go in on its standard input and the password in its environment: neither is on a command line. Rows come back as JSON, one a line.

use super::quote::MODE;
use crate::{
    Context, Failure,
    provider::{
        Command, Output,
        tool::{run, tool},
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use zester_compiler::types::{Path, Secret, Value};
use zester_stdlib_derive::Arguments;

/// Errors that say that a server, the user or the database cannot be reached: in a test run an earlier state may make them.
const UNREACHABLE: [u32; 9] = [1044, 1045, 1049, 1698, 2002, 2003, 2005, 2006, 2013];

/// Most errors that a message repeats.
const ERRORS: usize = 5;

/// Most bytes of rows.
const ROWS_LIMIT: usize = 64 * 1024 * 1024;

/// How a server is reached.
#[derive(Arguments)]
#[shared]
pub(super) struct Server {
    /// The server's name or address; this machine's own if nothing is said.
    #[arg(name = "connection_host")]
    host: Option<String>,
    /// The server's port.
    #[arg(name = "connection_port")]
    port: Option<u16>,
    /// The server's user; the one that runs the client if nothing is said.
    #[arg(name = "connection_user")]
    user: Option<String>,
    /// That user's password.
    #[arg(name = "connection_pass", secret)]
    password: Option<Secret>,
    /// The database that is connected to.
    #[arg(name = "connection_db")]
    db: Option<String>,
    /// The one file of options that the client reads, as `/etc/mysql/debian.cnf`.
    #[arg(name = "connection_default_file")]
    options: Option<Path>,
    /// The server's socket.
    #[arg(name = "connection_unix_socket")]
    socket: Option<Path>,
    /// The encoding of what is said.
    #[arg(name = "connection_charset", inert = "what is said to the server is always UTF-8")]
    charset: Option<String>,
    /// Whether texts are Unicode.
    #[arg(name = "connection_use_unicode", inert = "what is said to the server is always UTF-8")]
    use_unicode: Option<bool>,
    /// How values are converted.
    #[arg(name = "connection_conv", inert = "values are converted by the server")]
    conversion: Option<Value>,
}

/// The program that speaks to servers; MariaDB's calls itself by both names.
fn client(cx: &Context) -> Option<&'static str> {
    ["mariadb", "mysql"].into_iter().find(|program| cx.machine.commands.find(program).is_some())
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

impl Server {
    fn command(
        &self,
        cx: &Context,
        client: &str,
        options: &[&str],
        database: Option<&str>,
        sql: impl Into<Vec<u8>>,
    ) -> Command {
        // This one has to come first.
        let file = self.options.as_ref().map(|file| format!("--defaults-file={file}"));
        let mut words: Vec<String> = file.into_iter().collect();
        let always =
            ["--batch", "--default-character-set=utf8mb4", "--local-infile=0", "--connect-timeout=20"];
        words.extend(always.iter().chain(options).map(|word| (*word).to_owned()));
        let named = [
            ("host", self.host.clone()),
            ("port", self.port.map(|port| port.to_string())),
            ("user", self.user.clone()),
            ("socket", self.socket.as_ref().map(ToString::to_string)),
        ];
        words.extend(named.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?))));
        if let Some(database) = database.or(self.db.as_deref()) {
            words.push(format!("--database={database}"));
        }
        let mut command = tool(client, words);
        command.runas = cx.runas.as_ref().map(ToString::to_string);
        if let Some(Secret(password)) = &self.password {
            command.env.push(("MYSQL_PWD".to_owned(), Some(password.to_string())));
            // A password in the own `.my.cnf` would count for more.
            command.env.push(("HOME".to_owned(), None));
        }
        command.stdin = Some(sql.into());
        command.output_limit = ROWS_LIMIT;
        command
    }

    /// What the server writes for a statement, line by line. `None` in a test run that cannot ask: an earlier state may install the server, start it, or
    /// let its user in.
    pub(super) fn lines(&self, cx: &Context, statement: &str) -> Result<Option<Vec<String>>, Failure> {
        let Some(client) = client(cx) else { return if cx.test { Ok(None) } else { Err(no_client()) } };
        let sql = format!("{MODE}{statement};\n");
        let command = self.command(cx, client, &["--raw", "--skip-column-names"], None, sql);
        let output = match run(cx, command) {
            Ok(output) if cx.test && is_unreachable(&output) => return Ok(None),
            // The user who runs the client may come with the server's package.
            Err(_) if cx.test => return Ok(None),
            output => said(client, output?)?,
        };
        Ok(Some(output.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()))
    }

    /// The rows of a query of one `JSON_OBJECT`.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        cx: &Context,
        query: &str,
    ) -> Result<Option<Vec<T>>, Failure> {
        let Some(lines) = self.lines(cx, query)? else { return Ok(None) };
        let row = |line: &String| {
            // The row itself may have the hash of a password.
            serde_json::from_str(line)
                .map_err(|e| Failure::new(format!("the server answered what is not understood: {e}")))
        };
        lines.iter().map(row).collect::<Result<_, _>>().map(Some)
    }

    /// Whether it is MariaDB rather than MySQL.
    pub(super) fn is_mariadb(&self, cx: &Context) -> Result<bool, Failure> {
        let rows: Option<Vec<Version>> = self.ask(cx, "SELECT JSON_OBJECT('version', VERSION())")?;
        Ok(rows.iter().flatten().any(|row| row.version.contains("MariaDB")))
    }

    /// Has the server do something.
    pub(super) fn tell(&self, cx: &Context, statements: &str) -> Result<(), Failure> {
        let client = client(cx).ok_or_else(no_client)?;
        said(client, run(cx, self.command(cx, client, &[], None, format!("{MODE}{statements}\n")))?)?;
        Ok(())
    }

    /// Runs an author's statements, in the server's own mode; gives what the server writes, with the names of the columns.
    pub(super) fn query(
        &self,
        cx: &Context,
        database: &str,
        mut statements: Vec<u8>,
    ) -> Result<String, Failure> {
        let client = client(cx).ok_or_else(no_client)?;
        statements.push(b'\n');
        let output = run(cx, self.command(cx, client, &[], Some(database), statements))?;
        let rows = said(client, output)?.stdout;
        if rows.len() >= ROWS_LIMIT {
            // The middle of it is not there any more.
            return Err(Failure::new(format!(
                "the server wrote more than {} MiB, which is too much; have the statements give less, or write to a file by themselves",
                ROWS_LIMIT / 1024 / 1024
            )));
        }
        Ok(rows)
    }
}

fn no_client() -> Failure {
    Failure::new(
        "this machine has neither `mariadb` nor `mysql`; install MariaDB or MySQL, or its client, before",
    )
}

/// The client's own words: what it says of an error, without the statement, which it repeats and which may hold a password.
fn errors(output: &Output) -> Vec<String> {
    let own = |line: &&str| ["ERROR ", "mysql: ", "mariadb: "].iter().any(|start| line.starts_with(start));
    let all = output.stderr.lines().filter(own).take(ERRORS);
    all.map(|line| {
        // `… the right syntax to use near '…'`
        let line = line.split(" near '").next().unwrap_or(line);
        let line = line.strip_prefix("ERROR ").unwrap_or(line);
        match line.split_once(" at line ") {
            Some((code, rest)) => format!("{code}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
            None => line.to_owned(),
        }
    })
    .collect()
}

fn is_unreachable(output: &Output) -> bool {
    let code = |error: &String| error.split_whitespace().next().and_then(|code| code.parse::<u32>().ok());
    !output.success() && errors(output).iter().filter_map(code).any(|code| UNREACHABLE.contains(&code))
}

/// What it said, or its own words of why not.
fn said(client: &str, output: Output) -> Result<Output, Failure> {
    if output.success() {
        return Ok(output);
    }
    if output.timed_out {
        return Err(Failure::new(format!("`{client}` took too long and was ended")));
    }
    let words = errors(&output).join("; ");
    let words = if words.is_empty() { "it does not say why".to_owned() } else { words };
    Err(Failure::new(format!("the server refuses (`{client}` exited with {}): {words}", output.status)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::{Program, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    /// The statements that a made-up server was told, without its answers' questions.
    pub(in super::super) type Told = Arc<Mutex<Vec<String>>>;

    /// A machine whose server answers with lines, made from the query and from what it was told before.
    pub(in super::super) fn machine(
        version: &'static str,
        answer: impl Fn(&str, &[String]) -> String + Send + Sync + 'static,
    ) -> (FakeMachine, Told) {
        let machine = FakeMachine::new();
        let told: Told = Arc::default();
        let log = told.clone();
        machine.commands.on("mariadb ", move |command, _| {
            let sql = String::from_utf8(command.stdin.clone().unwrap()).unwrap();
            let sql = sql.strip_prefix(MODE).unwrap_or(&sql).trim();
            let mut log = log.lock().unwrap();
            if sql.contains("VERSION()") {
                return Output { stdout: format!("{{\"version\": \"{version}\"}}\n"), ..Output::default() };
            }
            if sql.starts_with("SELECT JSON_OBJECT") || sql.starts_with("SHOW GRANTS") {
                return Output { stdout: answer(sql, &log), ..Output::default() };
            }
            log.push(sql.to_owned());
            if sql.contains("'broken'") {
                let stderr = "--------------\nCREATE USER 'broken' IDENTIFIED BY 'geheim'\n--------------\n\n\
                              ERROR 1396 (HY000) at line 2: Operation CREATE USER failed for 'broken'@'localhost'\n";
                return Output { status: 1, stderr: stderr.to_owned(), ..Output::default() };
            }
            Output::default()
        });
        (machine, told)
    }

    /// MariaDB as it names its version.
    pub(in super::super) const MARIADB: &str = "10.11.19-MariaDB-0+deb12u1";

    /// MySQL as it names its version.
    pub(in super::super) const MYSQL: &str = "8.4.2";

    fn server(json: &str) -> Server {
        use zester_compiler::types::Arguments;
        Server::from_values(&serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn nothing_secret_is_on_the_command_line() {
        let machine = FakeMachine::new();
        let server = server(
            r#"{"connection_host": "db.example", "connection_port": 3307, "connection_user": "me", "connection_pass": "geheim",
                "connection_default_file": "/etc/my.cnf", "connection_unix_socket": "/run/x.sock", "connection_db": "shop"}"#,
        );
        let command = server.command(&machine.context(), "mysql", &[], None, "SELECT 1");
        let Program::Direct(_, words) = &command.program else { panic!() };
        assert_eq!(words[0], "--defaults-file=/etc/my.cnf");
        let own =
            ["--host=db.example", "--port=3307", "--user=me", "--socket=/run/x.sock", "--database=shop"];
        assert_eq!(words[5..], own);
        let other = server.command(&machine.context(), "mysql", &[], Some("other"), "SELECT 1");
        let Program::Direct(_, words) = &other.program else { panic!() };
        assert_eq!(words.last().unwrap(), "--database=other");
        assert!(command.env.contains(&("MYSQL_PWD".to_owned(), Some("geheim".to_owned()))));
    }

    #[test]
    fn no_statement_is_in_a_message() {
        let failed = |stderr: &str| {
            let output = Output { status: 1, stderr: stderr.to_owned(), ..Output::default() };
            said("mariadb", output).unwrap_err().message
        };
        let stderr = "--------------\ncreate user x identified by 'geheim' zwei\n--------------\n\nERROR 1064 (42000) at line 2: You have \
                      an error in your SQL syntax; check the manual for the right syntax to use near 'geheim' zwei' at line 1\n";
        assert_eq!(
            failed(stderr),
            "the server refuses (`mariadb` exited with 1): 1064 (42000): You have an error in your SQL syntax; check the manual for the right syntax to use"
        );
        assert!(failed("geheim\n").ends_with("it does not say why"));
    }

    #[test]
    fn who_cannot_be_asked_is_no_failure_of_a_test_run() {
        let machine = FakeMachine::new();
        machine.commands.on("mariadb", |_, _| Output {
            status: 1,
            stderr: "ERROR 2002 (HY000): Can't connect to local server through socket '/run/x' (2)\n"
                .to_owned(),
            ..Output::default()
        });
        let ask = |cx: &Context| server("{}").lines(cx, "SELECT 1");
        let cx = machine.context();
        let failure = ask(&cx).unwrap_err().message;
        assert!(failure.contains("2002 (HY000): Can't connect"), "{failure}");
        assert_eq!(ask(&Context { test: true, ..cx }).unwrap(), None);
        machine.commands.without("mariadb");
        machine.commands.without("mysql");
        assert!(ask(&machine.context()).unwrap_err().message.contains("install MariaDB"));
    }
}
