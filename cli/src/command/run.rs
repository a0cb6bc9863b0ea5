//! `zester '<target>' module.function`, `zester run`, and `zester apply -t`

use crate::{
    fleet::{self, block_on, connect, failure},
    options::{Common, Output},
    output::{Exit, Failure, print},
};
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Write};
use zester_compiler::{
    diagnostic::nearest,
    project::CONFIG_FILE,
    types::{FunctionKind, Map, Value},
};
use zester_executor::{
    job::message::{Call, PeelStatus},
    local::{Local, library},
    operator::{self, Heard},
};
use zester_stdlib::{Cancel, Library};

/// How a job is sent.
#[derive(Args, Clone, Default)]
pub struct Sending {
    /// How long peels have, as 90s, 10m, 2h.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<u64>,
    /// So many peels at a time: a number, or a share as 10%.
    #[arg(long, value_name = "N|N%")]
    pub batch: Option<String>,
    /// The pause after each portion.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "batch")]
    pub batch_wait: Option<u64>,
    /// No further portion after so many failures.
    #[arg(long, value_name = "N", requires = "batch")]
    pub fail_limit: Option<u64>,
    /// Only so many of the peels that match, by chance.
    #[arg(long, value_name = "N")]
    pub subset: Option<u64>,
    /// Prints the job's id and does not wait for its end.
    #[arg(long = "async")]
    pub detached: bool,
}

impl From<&Sending> for operator::Sending {
    fn from(said: &Sending) -> Self {
        Self {
            timeout_ms: said.timeout,
            batch: said.batch.clone(),
            batch_wait_ms: said.batch_wait.unwrap_or_default(),
            fail_limit: said.fail_limit,
            subset: said.subset,
        }
    }
}

/// Runs a function on the peels that match: the same as `zester '<target>' module.function`.
#[derive(Args)]
pub struct RunArgs {
    /// Which peels.
    #[arg(short = 't', long, value_name = "TARGET")]
    pub target: String,
    /// module.function
    pub function: String,
    /// Arguments, and named ones as name=value; values are YAML.
    #[arg(allow_hyphen_values = true)]
    pub args: Vec<String>,
    /// Says what would change, and changes nothing.
    #[arg(long)]
    pub test: bool,
    #[command(flatten)]
    pub sending: Sending,
}

/// Runs the command.
pub fn run(common: &Common, args: &RunArgs) -> Result<Exit, Failure> {
    let mut call = read_call(common, &args.function, &args.args)?;
    call.test |= args.test;
    send(common, &args.target, call, &args.sending, false)
}

/// The seed's form: the first word is a target. Options may follow.
pub fn target_form(common: &Common, words: &[String]) -> Result<Exit, Failure> {
    let Some((target, rest)) = words.split_first() else { return Err(Failure::new("nothing is asked")) };
    let Some((function, rest)) = rest.split_first() else {
        use clap::CommandFactory;
        let command = crate::options::Cli::command();
        let names = command.get_subcommands().map(|c| c.get_name().to_owned()).collect::<Vec<_>>();
        let near = nearest(target, names.iter().map(String::as_str));
        let hint = near.map(|n| format!("; did you mean `zester {n}`?")).unwrap_or_default();
        return Err(Failure::new(format!(
            "`{target}` is no command, and as a target it needs a function: zester '{target}' module.function{hint}"
        )));
    };
    // Options of the sending, wherever they stand.
    #[derive(clap::Parser)]
    #[command(no_binary_name = true, name = "zester '<target>' module.function")]
    struct Words {
        #[arg(allow_hyphen_values = false)]
        args: Vec<String>,
        #[arg(long)]
        test: bool,
        #[command(flatten)]
        sending: Sending,
        #[command(flatten)]
        common: Common,
    }
    use clap::Parser;
    let words = Words::try_parse_from(rest).map_err(|e| {
        let text = e.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        Failure::new(first.strip_prefix("error: ").unwrap_or(first))
    })?;
    let common = common.with(words.common);
    let mut call = read_call(&common, function, &words.args)?;
    call.test |= words.test;
    send(&common, target, call, &words.sending, false)
}

/// Reads `a b name=value` as YAML values, and holds the function against what is known.
fn read_call(common: &Common, function: &str, words: &[String]) -> Result<Call, Failure> {
    let (mut args, mut kwargs) = (Vec::new(), Map::new());
    for word in words {
        let named = word.split_once('=').filter(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        match named {
            Some((name, text)) => {
                if kwargs.insert(name.to_owned(), read_value(text)?).is_some() {
                    return Err(Failure::new(format!("`{name}` is given twice")));
                }
            }
            None => args.push(read_value(word)?),
        }
    }
    let test = matches!(kwargs.shift_remove("test"), Some(Value::Bool(true)));
    // A function that no peel knows is refused before anything is sent.
    check_call(common, function, &args, &kwargs)?;
    Ok(Call { function: function.to_owned(), args, kwargs, test })
}

/// Whether a function is built in, or one of the modules of the project that the operator stands in.
fn check_call(common: &Common, function: &str, args: &[Value], kwargs: &Map) -> Result<(), Failure> {
    let Err(message) = library().check_call(function, args, kwargs) else { return Ok(()) };
    let is_known = |library: &Library| {
        let exec = |(module, name)| library.registry().get(FunctionKind::Exec, module, name).is_some();
        function.split_once('.').is_some_and(exec)
    };
    match Local::open(common.local(true), Cancel::default()) {
        Ok(local) if is_known(&local.library) => {
            local.library.check_call(function, args, kwargs).map_err(Failure::new)
        }
        // Whoever stands in no project cannot know the modules of the published tree. The peels do, and say so of others.
        Ok(local) if !local.root.join(CONFIG_FILE).is_file() && is_foreign(function) => Ok(()),
        _ => Err(Failure::new(message)),
    }
}

/// Whether a function is none of ours, nor a slip in the name of one.
fn is_foreign(function: &str) -> bool {
    let library = library();
    let ours: Vec<String> = library.registry().signatures(FunctionKind::Exec).map(|s| s.name()).collect();
    let Some((module, _)) = function.split_once('.') else { return false };
    let is_ours = |name: &String| name.split_once('.').is_some_and(|(own, _)| own == module);
    module != "state"
        && !ours.iter().any(is_ours)
        && nearest(function, ours.iter().map(String::as_str)).is_none()
}

pub fn read_value(text: &str) -> Result<Value, Failure> {
    if text.is_empty() {
        return Ok(Value::Str(String::new()));
    }
    // What is no YAML is text: `a: b: c` in a shell command.
    Ok(zester_compiler::project::read_yaml(text).unwrap_or_else(|_| Value::Str(text.to_owned())))
}

/// Resolves, sends, follows, shows.
pub fn send(
    common: &Common,
    target: &str,
    call: Call,
    sending: &Sending,
    detailed: bool,
) -> Result<Exit, Failure> {
    block_on(async {
        let operator = connect(common).await?;
        let job = operator.prepare(target, call, &sending.into()).await.map_err(failure)?;
        let Some(job) = job else {
            eprintln!("zester: no peel matches `{target}`");
            return Ok(Exit::NoPeel);
        };
        if sending.detached {
            let jid = job.jid.clone();
            operator.dispatch(job).await.map_err(failure)?;
            print(&if common.json() {
                format!("{}\n", json!({"format_version": "1.0", "jid": jid}))
            } else {
                format!("{jid}\n")
            });
            return Ok(Exit::Fine);
        }
        let jid = job.jid.clone();
        let mut live = Live::new(common, job.targets.count);
        let report = tokio::select! {
            report = operator.run(job, |heard| live.hear(heard)) => report.map_err(failure)?,
            // The job goes on; who asked stops watching.
            _ = tokio::signal::ctrl_c() => {
                live.clear();
                eprintln!("zester: the job goes on; zester job show {jid}, zester job kill {jid}");
                return Ok(Exit::Signal(2));
            }
        };
        live.clear();
        fleet::show(common, &report)?;
        let exit = fleet::exit(&report, detailed);
        let _ = operator.bus().drain().await;
        Ok(exit)
    })
}

/// Milliseconds of `90s`, `1.5h`, `250ms`; a bare number is seconds.
pub fn duration(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..).unwrap_or_default() {
        "ms" => 1.0,
        "" | "s" => 1_000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        unit => return Err(format!("`{unit}` is no unit of time; use ms, s, m, h or d")),
    };
    match digits.parse::<f64>() {
        Ok(number) if number > 0.0 && number * factor < 1e15 => Ok((number * factor) as u64),
        _ => Err(format!("`{text}` is no time; write it as 90s, 10m or 2h")),
    }
}

/// One line that is rewritten: who has answered, who is at what.
struct Live {
    shown: bool,
    lines: bool,
    total: u64,
    acked: u64,
    returned: u64,
    failed: u64,
}

impl Live {
    fn new(common: &Common, total: u64) -> Self {
        let text = common.output == Output::Text && !common.quiet && !common.no_progress;
        Self {
            shown: text && std::io::stderr().is_terminal(),
            lines: common.output == Output::Jsonl,
            total,
            acked: 0,
            returned: 0,
            failed: 0,
        }
    }

    fn hear(&mut self, heard: Heard) {
        let mut now = String::new();
        match &heard {
            Heard::Acked(_) => self.acked += 1,
            Heard::Progress(peel, progress) => {
                now = format!(" {peel} {}/{} {}", progress.index + 1, progress.total, progress.function);
            }
            Heard::Returned(_, result) => {
                self.returned += 1;
                self.failed += u64::from(result.status != PeelStatus::Done);
            }
        }
        if self.lines {
            let line = match &heard {
                Heard::Acked(peel) => json!({"event": "ack", "peel": peel}),
                Heard::Progress(peel, p) => json!({"event": "progress", "peel": peel, "progress": p}),
                Heard::Returned(peel, r) => json!({"event": "return", "peel": peel, "return": r}),
            };
            print(&format!("{line}\n"));
        }
        if self.shown {
            let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
            let now: String = now.chars().filter(|c| !c.is_control()).take(60).collect();
            let _ = write!(
                std::io::stderr().lock(),
                "\r\x1b[K{}/{} returned, {} accepted{failed}{now}",
                self.returned,
                self.total,
                self.acked
            );
        }
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
