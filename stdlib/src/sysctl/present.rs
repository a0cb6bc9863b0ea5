//! `sysctl.present`: a parameter of the kernel has a value, now and after the next boot.

use super::{normal, path, read};
use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change,
    provider::{
        Ownership, files,
        tool::{succeed, tool},
    },
};
use zester_compiler::types::Path;

/// A parameter of the kernel has a value: in the running kernel, and in a file that is read at boot.
#[derive(Arguments)]
#[state("sysctl.present")]
pub(crate) struct Present {
    /// The parameter.
    #[arg(primary)]
    name: String,
    /// Its value.
    value: String,
    /// The file that keeps it.
    #[arg(default = "/etc/sysctl.d/99-zester.conf")]
    config: Path,
    /// Whether a parameter that the kernel does not have, or a value it refuses, is no failure.
    #[arg(default = false)]
    ignore: bool,
    /// Whether it is kept for the next boot.
    #[arg(default = true)]
    persist: bool,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        if self.value.contains('\n') {
            return Err(format!("the value of `{name}` cannot hold a line break").into());
        }
        let want = normal(&self.value);
        let running = read(cx, name)?;
        let mut changes = Changes::new();
        let set = match &running {
            Some(have) if *have == want => false,
            Some(have) => {
                changes.insert("running".to_owned(), change(have.clone(), want.clone()));
                true
            }
            None if self.ignore => false,
            None => {
                return Err(format!(
                    "the kernel has no parameter `{name}`; is its module loaded? `ignore: true` passes it over"
                )
                .into());
            }
        };
        let old_text = files::text(cx, &self.config)?;
        let text = old_text.as_deref().unwrap_or_default();
        let kept = kept(text, name);
        let keep = self.persist && kept.as_deref() != Some(want.as_str());
        if keep {
            changes.insert("config".to_owned(), change(kept, want.clone()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("`{name}` is `{want}`")));
        }
        let new_text = with(text, name, &want);
        let comment = if cx.test { "would set" } else { "set" };
        let comment = format!("{comment} `{name}` to `{want}`");
        Ok(Plan::change(changes, comment, move |cx| {
            if keep {
                self.write(cx, &new_text)?;
            }
            if set {
                let assignment = format!("{}={want}", self.name);
                match succeed(cx, tool("sysctl", ["-w", assignment.as_str()])) {
                    Ok(_) => {}
                    Err(_) if self.ignore => {}
                    Err(message) => return Err(Failure::new(message)),
                }
                let now = read(cx, &self.name)?;
                if now.as_deref() != Some(want.as_str()) && !self.ignore {
                    let now = now.unwrap_or_default();
                    return Err(format!("`{}` was set to `{want}` but is `{now}`", self.name).into());
                }
            }
            Ok(Outcome::default())
        }))
    }
}

impl Present {
    fn write(&self, cx: &Context, text: &str) -> Result<(), String> {
        let files = &cx.machine.files;
        let failed = |e: std::io::Error| format!("`{}` could not be written: {e}", self.config);
        if let Some((dir, _)) = self.config.rsplit_once('/')
            && !dir.is_empty()
            && files.stat(dir, true).map_err(failed)?.is_none()
        {
            files.create_dir(dir, 0o755).map_err(failed)?;
        }
        files.write(&self.config, text.as_bytes(), Ownership::default(), true).map_err(failed)
    }
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with(['#', ';']) {
        return None;
    }
    let (key, value) = line.split_once('=')?;
    Some((key.trim().trim_start_matches('-').trim(), value.trim()))
}

/// Whether two names mean the same parameter: dots or slashes may separate.
fn same(a: &str, b: &str) -> bool {
    a == b || matches!((path(a), path(b)), (Ok(a), Ok(b)) if a == b)
}

/// The value a file keeps: its last line wins.
fn kept(text: &str, name: &str) -> Option<String> {
    text.lines().filter_map(assignment).rfind(|(key, _)| same(key, name)).map(|(_, v)| normal(v))
}

/// The file's text with the value in it: in place of the last line of it, others of it taken out.
fn with(text: &str, name: &str, value: &str) -> String {
    let line = format!("{name} = {value}");
    let is_it = |l: &&str| assignment(l).is_some_and(|(key, _)| same(key, name));
    let last = text.lines().filter(is_it).count();
    let mut seen = 0;
    let mut lines: Vec<&str> = Vec::new();
    for old in text.lines() {
        if is_it(&old) {
            seen += 1;
            if seen == last {
                lines.push(&line);
            }
        } else {
            lines.push(old);
        }
    }
    if last == 0 {
        lines.push(&line);
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use zester_compiler::types::{Arguments as _, Map, Value};

    fn args(name: &str, value: &str) -> Map {
        Map::from_iter([("name".to_owned(), Value::from(name)), ("value".to_owned(), value.into())])
    }

    #[test]
    fn running_and_kept() {
        let machine = FakeMachine::new();
        machine.files.put("/proc/sys/net/ipv4/tcp_rmem", "4096\t1\t2\n");
        machine.files.put("/etc/sysctl.d/99-zester.conf", "# mine\nnet/ipv4/tcp_rmem=1\nvm.x = 3\n");
        let files = machine.files.clone();
        machine.commands.on("sysctl -w net.ipv4.tcp_rmem=", move |_, line| {
            let value = line.split_once('=').map_or("", |(_, v)| v);
            files.put("/proc/sys/net/ipv4/tcp_rmem", format!("{}\n", value.replace(' ', "\t")));
            Output::default()
        });
        let outcome = machine.converge::<Present>(&args("net.ipv4.tcp_rmem", "4096 5 6")).unwrap();
        assert_eq!(outcome.changes["running"], change("4096 1 2", "4096 5 6"));
        assert_eq!(outcome.changes["config"], change("1", "4096 5 6"));
        let text = machine.files.text("/etc/sysctl.d/99-zester.conf");
        assert_eq!(text, "# mine\nnet.ipv4.tcp_rmem = 4096 5 6\nvm.x = 3\n");
    }

    #[test]
    fn unknown_parameters_and_odd_names() {
        let machine = FakeMachine::new();
        let refusal = |name: &str| {
            let state = Present::from_values(&args(name, "1")).unwrap();
            match state.plan(&machine.context()) {
                Err(failure) => failure.message,
                Ok(_) => panic!("it should fail"),
            }
        };
        assert!(refusal("net.nowhere").contains("no parameter `net.nowhere`"));
        assert!(refusal("../../etc/passwd").contains("not the name of a parameter"));
        assert_eq!(
            path("net.ipv4.conf.eth0/1.rp_filter").unwrap(),
            "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"
        );
        assert_eq!(
            path("net/ipv4/conf/eth0.1/rp_filter").unwrap(),
            "/proc/sys/net/ipv4/conf/eth0.1/rp_filter"
        );
    }
}
