//! What custom modules reach of the machine: through the providers, as the built-in functions do.

use crate::{
    Context,
    exec::http::Query,
    provider::{Command, FileKind, Ownership},
};
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};
use zester_compiler::{
    modules::{
        HOST_FUNCTIONS,
        eval::{Data, Host},
    },
    types::{Arguments, Effect, Map, Value},
};

/// How long a call may take unless the state says otherwise.
const SECONDS: f64 = 600.0;

/// The largest file that is read, in bytes.
const FILE_BYTES: u64 = 16 << 20;

/// Most lines that are kept of what a call logs, and most bytes of one.
const LOG_LINES: usize = 200;
const LINE_BYTES: usize = 1_000;

/// The machine during one call.
pub(super) struct Machine<'c> {
    cx: &'c Context,
    function: &'c str,
    may_change: bool,
    started: Instant,
    limit: Duration,
    log: RefCell<Vec<String>>,
}

impl<'c> Machine<'c> {
    pub fn new(cx: &'c Context, function: &'c str, may_change: bool) -> Self {
        let seconds = cx.timeout.unwrap_or(SECONDS).clamp(0.0, 86_400.0);
        Self {
            cx,
            function,
            may_change,
            started: Instant::now(),
            limit: Duration::from_secs_f64(seconds),
            log: RefCell::default(),
        }
    }

    pub fn into_log(self) -> Vec<String> {
        self.log.into_inner()
    }

    fn run(&self, given: &Given<'_>) -> Result<Value, String> {
        let program = given.text("command")?;
        if program.trim().is_empty() {
            return Err("`command` of `cmd_run` is empty".to_owned());
        }
        if !given.has("args") && program.contains(char::is_whitespace) && !program.starts_with('/') {
            return Err(format!(
                "`cmd_run` runs a program without a shell, and there is none called `{program}`; write its arguments in `args`"
            ));
        }
        let args = match given.0.get("args") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::List(items)) => {
                items.iter().map(|item| scalar("args", item)).collect::<Result<_, _>>()?
            }
            Some(other) => {
                return Err(format!("`args` of `cmd_run` is a list, and this is {}", other.describe()));
            }
        };
        let mut command = Command::new(program, args);
        command.cwd = given.optional_text("cwd")?.map(str::to_owned);
        command.stdin = given.optional_text("stdin")?.map(|text| text.as_bytes().to_vec());
        for (name, value) in given.optional_map("env")?.into_iter().flatten() {
            command.env.push((name.clone(), (!value.is_null()).then(|| value.to_string())));
        }
        command.runas = self.cx.runas.as_ref().map(ToString::to_string);
        command.umask = self.cx.umask;
        let left = self.limit.saturating_sub(self.started.elapsed()).as_secs_f64();
        let wanted = match given.0.get("timeout") {
            None | Some(Value::Null) => left,
            Some(Value::Int(seconds)) if *seconds > 0 => *seconds as f64,
            Some(Value::Float(seconds)) if *seconds > 0.0 => *seconds,
            Some(_) => return Err("`timeout` of `cmd_run` is a number of seconds".to_owned()),
        };
        command.timeout = Some(wanted.min(left));
        crate::environ::below(self.cx, &mut command.env);
        let output = self.cx.machine.commands.run(&command, &self.cx.cancel);
        let output = output.map_err(|e| format!("`{program}` could not be started: {e}"))?;
        if output.timed_out {
            return Err(format!("`{program}` took too long and was ended"));
        }
        Ok(map([
            ("exit_code", i64::from(output.status).into()),
            ("stdout", output.stdout.into()),
            ("stderr", output.stderr.into()),
        ]))
    }

    fn stat(&self, path: &str) -> Result<Value, String> {
        let found = self.cx.machine.files.stat(path, true).map_err(|e| failed(path, &e))?;
        Ok(found.map_or(Value::Null, |stat| {
            let kind = match stat.kind {
                FileKind::File => "file",
                FileKind::Directory => "directory",
                FileKind::Symlink => "link",
                FileKind::Other => "other",
            };
            map([
                ("kind", kind.into()),
                ("size", i64::try_from(stat.size).unwrap_or(i64::MAX).into()),
                ("mode", format!("{:04o}", stat.mode).into()),
                ("uid", i64::from(stat.uid).into()),
                ("gid", i64::from(stat.gid).into()),
                ("modified", stat.modified.0.into()),
            ])
        }))
    }

    fn read(&self, path: &str) -> Result<Value, String> {
        let files = &self.cx.machine.files;
        match files.stat(path, true).map_err(|e| failed(path, &e))? {
            None => return Err(format!("there is no file `{path}`")),
            Some(stat) if stat.size > FILE_BYTES => {
                return Err(format!("`{path}` has {} bytes; at most {FILE_BYTES} are read", stat.size));
            }
            Some(_) => {}
        }
        // A device or a growing file has more than it says.
        let content = files.read_head(path, FILE_BYTES as usize).map_err(|e| failed(path, &e))?;
        String::from_utf8(content).map(Value::Str).map_err(|_| format!("`{path}` is no text"))
    }

    fn remove(&self, path: &str) -> Result<Value, String> {
        let files = &self.cx.machine.files;
        match files.stat(path, false).map_err(|e| failed(path, &e))? {
            None => Ok(false.into()),
            Some(stat) if stat.kind == FileKind::Directory => {
                Err(format!("`{path}` is a directory; `file_remove` removes files and links"))
            }
            Some(_) => files.remove_file(path).map(|()| true.into()).map_err(|e| failed(path, &e)),
        }
    }

    fn mkdir(&self, path: &str, mode: u32) -> Result<Value, String> {
        let files = &self.cx.machine.files;
        let mut missing: Vec<&str> = Vec::new();
        let mut at = path;
        while !at.is_empty() && files.stat(at, true).map_err(|e| failed(at, &e))?.is_none() {
            missing.push(at);
            at = at.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        for directory in missing.iter().rev() {
            files.create_dir(directory, mode).map_err(|e| failed(directory, &e))?;
        }
        Ok((!missing.is_empty()).into())
    }

    fn http(&self, given: &Given<'_>) -> Result<Value, String> {
        let mut request = map_of([
            ("url", given.text("url")?.into()),
            ("status", true.into()),
            ("headers", true.into()),
            ("method", given.optional_text("method")?.unwrap_or("GET").into()),
        ]);
        if let Some(headers) = given.optional_map("headers")? {
            request.insert("header_dict".to_owned(), Value::Map(headers.clone()));
        }
        if let Some(body) = given.optional_text("body")? {
            request.insert("data".to_owned(), body.into());
        }
        let mut answer = Query::from_values(&request)?.answer()?;
        // The status says it already.
        answer.shift_remove("error");
        Ok(Value::Map(answer))
    }

    fn version(&self, name: &str) -> Result<Option<String>, String> {
        let packages = (self.cx.machine.packages)()?;
        let installed = packages.installed(self.cx)?;
        Ok(installed.get(&packages.canonical(self.cx, name)?).cloned())
    }
}

impl Host for Machine<'_> {
    fn call(&self, name: &str, arguments: &Map) -> Result<Value, String> {
        let effect = HOST_FUNCTIONS.iter().find(|f| f.name == name).map(|f| f.effect);
        if effect == Some(Effect::Mutating) && !self.may_change {
            return Err(format!("`{name}` changes the machine, and `{}` only looks at it", self.function));
        }
        if let Some(why) = self.stop() {
            return Err(why);
        }
        let given = Given(arguments, name);
        let files = &self.cx.machine.files;
        match name {
            "cmd_run" => self.run(&given),
            "file_exists" => {
                let path = given.path()?;
                Ok(files.stat(path, true).map_err(|e| failed(path, &e))?.is_some().into())
            }
            "file_list" => {
                let path = given.path()?;
                files.list(path).map(Value::from).map_err(|e| failed(path, &e))
            }
            "file_mkdir" => self.mkdir(given.path()?, given.mode()?.unwrap_or(0o755)),
            "file_read" => self.read(given.path()?),
            "file_remove" => self.remove(given.path()?),
            "file_stat" => self.stat(given.path()?),
            "file_write" => {
                let path = given.path()?;
                let ownership = Ownership { mode: given.mode()?, ..Ownership::default() };
                let content = given.text("content")?;
                let written = files.write(path, content.as_bytes(), ownership, true);
                written.map(|()| Value::Null).map_err(|e| failed(path, &e))
            }
            "http_get" | "http_request" => self.http(&given),
            "pkg_is_installed" => Ok(self.version(given.text("name")?)?.is_some().into()),
            "pkg_version" => Ok(self.version(given.text("name")?)?.into()),
            _ => Err(format!("there is no function `{name}`")),
        }
    }

    fn data(&self, what: Data) -> Value {
        match what {
            Data::Facts => Value::Map(self.cx.facts.values.clone()),
            Data::Settings => (*self.cx.settings).clone(),
        }
    }

    fn log(&self, level: &'static str, mut line: String) {
        let mut log = self.log.borrow_mut();
        if log.len() >= LOG_LINES {
            return;
        }
        if let Some((end, _)) = line.char_indices().nth(LINE_BYTES) {
            line.truncate(end);
        }
        log.push(if level == "info" { line } else { format!("{level}: {line}") });
    }

    fn stop(&self) -> Option<String> {
        if self.cx.cancel.is_cancelled() {
            return Some("the run was cancelled".to_owned());
        }
        let over = self.started.elapsed() >= self.limit;
        over.then(|| format!("the module takes longer than {} seconds", self.limit.as_secs_f64()))
    }
}

/// Arguments of a function of the host, and its name.
struct Given<'a>(&'a Map, &'a str);

impl<'a> Given<'a> {
    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        self.optional_text(name)?.ok_or_else(|| format!("`{}` needs `{name}`", self.1))
    }

    fn optional_text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text)),
            Some(other) => Err(format!("`{name}` of `{}` is text, and this is {}", self.1, other.describe())),
        }
    }

    fn optional_map(&self, name: &str) -> Result<Option<&'a Map>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Map(map)) => Ok(Some(map)),
            Some(other) => {
                Err(format!("`{name}` of `{}` is a map, and this is {}", self.1, other.describe()))
            }
        }
    }

    fn path(&self) -> Result<&'a str, String> {
        let path = self.text("path")?;
        if path.starts_with('/') && !path.contains('\0') {
            return Ok(path);
        }
        Err(format!("`{path}` is no absolute path"))
    }

    /// `"0644"`, as everywhere else; a number is one in Starlark (`0o644`).
    fn mode(&self) -> Result<Option<u32>, String> {
        let wrong = || format!("`mode` of `{}` is octal: `\"0644\"`", self.1);
        let mode = match self.0.get("mode") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Str(text)) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
            Some(Value::Int(number)) => u32::try_from(*number).ok(),
            Some(_) => None,
        };
        mode.filter(|mode| *mode <= 0o7777).map(Some).ok_or_else(wrong)
    }
}

fn scalar(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::Str(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(format!("`{name}` has texts in it, and this is {}", other.describe())),
    }
}

fn failed(path: &str, error: &std::io::Error) -> String {
    format!("`{path}`: {error}")
}

fn map_of<const N: usize>(entries: [(&str, Value); N]) -> Map {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(map_of(entries))
}
