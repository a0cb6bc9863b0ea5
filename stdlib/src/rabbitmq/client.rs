//! Asking and telling a RabbitMQ server, of version 3.8 or later, through `rabbitmqctl`. Rows come back as JSON; passwords go in on its standard input.

use crate::{
    Context, Failure,
    provider::{
        Command, Output, files,
        tool::{run, tool},
    },
};
use serde::de::DeserializeOwned;

/// The program itself. What packages put into the path is a script that becomes the server's user first, and Debian's has a shell read the arguments again:
/// a `$` in one of them would not arrive.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";

/// The user of the system that a server runs as. Its home has the cookie that the server wants to see.
const USER: &str = "rabbitmq";

/// Most bytes of rows.
const ROWS_LIMIT: usize = 16 * 1024 * 1024;

/// Most bytes of the words that an error repeats.
const WORDS_LIMIT: usize = 1_000;

/// A command of `rabbitmqctl`: its name, its options, and what is no option whatever it looks like.
pub(super) struct Words<'w> {
    name: &'w str,
    options: Vec<&'w str>,
    arguments: Vec<&'w str>,
}

impl<'w> Words<'w> {
    /// A command without options.
    pub(super) fn of(name: &'w str, arguments: &[&'w str]) -> Self {
        Self { name, options: Vec::new(), arguments: arguments.to_vec() }
    }

    /// The same command with options.
    pub(super) fn with(mut self, options: &[&'w str]) -> Self {
        self.options.extend(options);
        self
    }
}

fn command(cx: &Context, words: &Words<'_>, input: Option<&str>) -> Result<Command, Failure> {
    let direct = files::stat(cx, PROGRAM)?.is_some();
    if !direct && cx.machine.commands.find("rabbitmqctl").is_none() {
        return Err(Failure::new("this machine has no `rabbitmqctl`; install RabbitMQ before"));
    }
    let mut all = vec![words.name, "--quiet"];
    all.extend(&words.options);
    if !words.arguments.is_empty() {
        all.push("--");
        all.extend(&words.arguments);
    }
    let mut command = tool(if direct { PROGRAM } else { "rabbitmqctl" }, all);
    let own = || direct.then(|| USER.to_owned());
    command.runas = cx.runas.as_ref().map(ToString::to_string).or_else(own);
    command.stdin = input.map(|text| format!("{text}\n").into_bytes());
    command.output_limit = ROWS_LIMIT;
    Ok(command)
}

/// The rows of a command that lists something. `None` in a test run that cannot ask: an earlier state may install or start the server, or make the virtual
/// host.
pub(super) fn ask<T: DeserializeOwned>(cx: &Context, words: Words<'_>) -> Result<Option<Vec<T>>, Failure> {
    let name = words.name;
    let asked =
        command(cx, &words.with(&["--formatter", "json"]), None).and_then(|command| Ok(run(cx, command)?));
    let output = match asked {
        Ok(output) if output.success() => output,
        Ok(output) if cx.test && may_come(&output) => return Ok(None),
        // The user who runs it comes with the server's package.
        Err(_) if cx.test => return Ok(None),
        output => return Err(refusal(name, &output?)),
    };
    let rows = serde_json::from_str(&output.stdout)
        .map_err(|e| Failure::new(format!("`rabbitmqctl {name}` answered what is not understood: {e}")))?;
    Ok(Some(rows))
}

/// Has the server do something.
pub(super) fn tell(cx: &Context, words: &Words<'_>, input: Option<&str>) -> Result<(), Failure> {
    let output = run(cx, command(cx, words, input)?)?;
    if output.success() { Ok(()) } else { Err(refusal(words.name, &output)) }
}

/// Whether the server lets a user in with a password.
pub(super) fn lets_in(cx: &Context, user: &str, password: &str) -> Result<bool, Failure> {
    let words = Words::of("authenticate_user", &[user]);
    let output = run(cx, command(cx, &words, Some(password))?)?;
    if output.success() {
        return Ok(true);
    }
    if output.stderr.contains("failed to authenticate user") {
        return Ok(false);
    }
    Err(refusal(words.name, &output))
}

/// Whether an earlier state may make what is not there.
fn may_come(output: &Output) -> bool {
    ["unable to perform an operation on node", "does not exist", "no_such_user", "No such user"]
        .iter()
        .any(|words| output.stderr.contains(words))
}

/// Its own words of why not, without the advice that it has for everybody.
fn refusal(name: &str, output: &Output) -> Failure {
    if output.timed_out {
        return Failure::new(format!("`rabbitmqctl {name}` took too long and was ended"));
    }
    let lines = output.stderr.lines().map(str::trim);
    let own = lines.take_while(|line| !line.starts_with("Most common reasons") && *line != "DIAGNOSTICS");
    let words: Vec<&str> = own.filter(|line| !line.is_empty() && *line != "Error:").collect();
    let mut words: String = words.join("; ");
    if words.is_empty() {
        words.push_str("it does not say why");
    }
    let end = words.char_indices().map(|(at, _)| at).find(|at| *at >= WORDS_LIMIT).unwrap_or(words.len());
    words.truncate(end);
    Failure::new(format!("RabbitMQ refuses (`rabbitmqctl {name}` exited with {}): {words}", output.status))
}

/// Refuses what cannot be a name.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > 255 || name.contains(|c: char| c.is_control()) {
        return Err(Failure::new(format!(
            "`{}` is not the name of a {what}: those have 1 to 255 bytes and no control characters",
            name.escape_debug()
        )));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use std::sync::{Arc, Mutex};

    /// What a made-up server was told, as lines, with what was on standard input behind `<`.
    pub(in super::super) type Told = Arc<Mutex<Vec<String>>>;

    /// A machine whose server answers questions with JSON, made from the question and from what it was told before.
    pub(in super::super) fn machine(
        answer: impl Fn(&str, &[String]) -> Output + Send + Sync + 'static,
    ) -> (FakeMachine, Told) {
        let machine = FakeMachine::new();
        let told: Told = Arc::default();
        let log = told.clone();
        machine.commands.on("rabbitmqctl ", move |command, line| {
            let line = line.strip_prefix("rabbitmqctl ").unwrap();
            let line = line.replace(" --quiet", "").replace(" --formatter json", "");
            let mut log = log.lock().unwrap();
            let input = command.stdin.as_ref().map(|input| String::from_utf8(input.clone()).unwrap());
            if line.starts_with("list_") || line.starts_with("authenticate_user") {
                return answer(&format!("{line} < {}", input.unwrap_or_default().trim()), &log);
            }
            log.push(input.map_or(line.clone(), |input| format!("{line} < {}", input.trim_end())));
            Output::default()
        });
        (machine, told)
    }

    /// Rows as the server gives them.
    pub(in super::super) fn rows(json: &str) -> Output {
        Output { stdout: format!("[\n{json}\n]\n"), ..Output::default() }
    }

    /// What the server says no with.
    pub(in super::super) fn no(status: i32, stderr: &str) -> Output {
        Output { status, stderr: format!("Error:\n{stderr}\n"), ..Output::default() }
    }

    const AWAY: &str = "Error: unable to perform an operation on node 'rabbit@x'. Please see diagnostics information and suggestions below.\n\n\
                        Most common reasons for this are:\n\n * Target node is not running\n\nDIAGNOSTICS\n===========\n\n * Erlang cookie hash: G8Xh==\n";

    #[test]
    fn who_cannot_be_asked_is_no_failure_of_a_test_run() {
        let (machine, _) =
            machine(|_, _| Output { status: 69, stderr: AWAY.to_owned(), ..Output::default() });
        let ask = |cx: &Context| ask::<serde_json::Value>(cx, Words::of("list_users", &[]));
        let cx = machine.context();
        assert_eq!(
            ask(&cx).unwrap_err().message,
            "RabbitMQ refuses (`rabbitmqctl list_users` exited with 69): Error: unable to perform an operation on node 'rabbit@x'. Please see \
             diagnostics information and suggestions below."
        );
        assert_eq!(ask(&Context { test: true, ..cx }).unwrap(), None);
        machine.commands.without("rabbitmqctl");
        assert!(ask(&machine.context()).unwrap_err().message.contains("install RabbitMQ"));
    }

    #[test]
    fn the_program_itself_is_run_where_it_is() {
        let machine = FakeMachine::new();
        let words = Words::of("add_vhost", &["-$x"]);
        let through = command(&machine.context(), &words, None).unwrap();
        assert_eq!(through.runas, None);
        machine.files.put(PROGRAM, b"");
        let direct = command(&machine.context(), &words, None).unwrap();
        assert_eq!(direct.runas.as_deref(), Some("rabbitmq"));
        assert_eq!(crate::provider::tool::line(&direct), format!("{PROGRAM} add_vhost --quiet -- -$x"));
    }
}
