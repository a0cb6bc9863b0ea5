//! The program that keeps the rules, and the file from which they come back at boot.

use crate::{
    Changes, Context, Failure, change,
    file::path,
    provider::{
        Ownership,
        tool::{failure, run, succeed, tool},
    },
};
use zester_compiler::types::Value;

/// One table of one family.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Filter {
    program: &'static str,
    table: String,
}

/// A word that may stand where the name of a table or chain does.
fn check(what: &str, name: &str) -> Result<(), Failure> {
    if name.is_empty()
        || name.starts_with('-')
        || name.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        return Err(Failure::new(format!("`{}` is not the name of a {what}", name.escape_debug())));
    }
    Ok(())
}

/// What the program says when something is not there, in its old and new form.
const NOTHING: &[&str] =
    &["does a matching rule exist", "Bad rule", "No chain/target/match by that name", "does not exist"];

impl Filter {
    /// The table; the chain's name is looked at, too.
    pub(super) fn of(cx: &Context, family: &str, table: &str, chain: Option<&str>) -> Result<Self, Failure> {
        check("table", table)?;
        chain.map_or(Ok(()), |chain| check("chain", chain))?;
        let program = if matches!(family, "ipv6" | "6") { "ip6tables" } else { "iptables" };
        if cx.machine.commands.find(program).is_none() && !cx.test {
            return Err(Failure::new(format!(
                "this machine has no `{program}`; install it before the rules are set"
            )));
        }
        Ok(Self { program, table: table.to_owned() })
    }

    fn command(&self, words: &[String]) -> crate::provider::Command {
        let mut all = vec!["--wait".to_owned(), "-t".to_owned(), self.table.clone()];
        all.extend_from_slice(words);
        tool(self.program, all)
    }

    /// Changes something.
    pub(super) fn act(&self, cx: &Context, words: &[String]) -> Result<(), Failure> {
        succeed(cx, self.command(words)).map(drop).map_err(Failure::new)
    }

    /// Asks something; `None` when there is nothing of that name.
    fn ask(&self, cx: &Context, words: &[String]) -> Result<Option<String>, Failure> {
        // A package of this run may bring the program.
        if cx.machine.commands.find(self.program).is_none() {
            return Ok(None);
        }
        let command = self.command(words);
        let output = run(cx, command.clone())?;
        if output.success() {
            return Ok(Some(output.stdout));
        }
        if NOTHING.iter().any(|words| output.stderr.contains(words)) {
            return Ok(None);
        }
        Err(Failure::new(failure(&command, &output)))
    }

    /// Whether a chain has a rule.
    pub(super) fn has(&self, cx: &Context, chain: &str, rule: &[String]) -> Result<bool, Failure> {
        let mut words = vec!["-C".to_owned(), chain.to_owned()];
        words.extend_from_slice(rule);
        Ok(self.ask(cx, &words)?.is_some())
    }

    /// What a chain has, as the lines that would make it; of all chains without one. `None` when it is not there.
    pub(super) fn list(&self, cx: &Context, chain: Option<&str>) -> Result<Option<Vec<String>>, Failure> {
        // The whole table is asked for: what the program says of a chain that is not there differs from version to version.
        let Some(text) = self.ask(cx, &["-S".to_owned()])? else { return Ok(None) };
        let of = |line: &&str| chain.is_none_or(|chain| line.split_whitespace().nth(1) == Some(chain));
        let lines: Vec<String> = text.lines().filter(of).map(str::to_owned).collect();
        // A chain that is there has a line of its own, its policy or its making.
        Ok((chain.is_none() || !lines.is_empty()).then_some(lines))
    }

    fn is_ipv6(&self) -> bool {
        self.program == "ip6tables"
    }
}

/// `save`: whether the rules come back at boot, and in which file they are kept.
pub(super) struct Save(Option<String>);

impl Save {
    /// The file: the one that is named, or that of this distribution.
    pub(super) fn of(cx: &Context, filter: &Filter, save: Option<&Value>) -> Result<Self, Failure> {
        let named = match save {
            None | Some(Value::Bool(false) | Value::Null) => return Ok(Self(None)),
            Some(Value::Str(text)) => path::absolute(cx, text)?,
            Some(_) => {
                let six = filter.is_ipv6();
                let exists = |p: &str| path::stat(cx, p, true).map(|s| s.is_some());
                let file = if exists("/etc/redhat-release")? {
                    if six { "/etc/sysconfig/ip6tables" } else { "/etc/sysconfig/iptables" }
                } else if exists("/etc/arch-release")? {
                    if six { "/etc/iptables/ip6tables.rules" } else { "/etc/iptables/iptables.rules" }
                } else if six {
                    "/etc/iptables/rules.v6"
                } else {
                    "/etc/iptables/rules.v4"
                };
                file.to_owned()
            }
        };
        Ok(Self(Some(named)))
    }

    /// Whether the file is missing: rules that are in force already are then saved, too.
    pub(super) fn note(&self, cx: &Context, changes: &mut Changes) -> Result<(), Failure> {
        if let Self(Some(file)) = self
            && (path::stat(cx, file, true)?.is_none() || !changes.is_empty())
        {
            changes.insert("saved".to_owned(), change((), file.as_str()));
        }
        Ok(())
    }

    /// Writes what is in force into the file.
    pub(super) fn write(&self, cx: &Context, filter: &Filter) -> Result<(), Failure> {
        let Self(Some(file)) = self else { return Ok(()) };
        let program = if filter.is_ipv6() { "ip6tables-save" } else { "iptables-save" };
        let text = succeed(cx, tool(program, [""; 0]))?.stdout;
        let parents = path::missing_parents(cx, file, true)?;
        let attributes = crate::file::attributes::Attributes::default().with_mode(Some(0o755));
        path::make_directories(cx, &parents, &attributes)?;
        let ownership = Ownership { mode: Some(0o640), ..Ownership::default() };
        cx.machine
            .files
            .write(file, text.as_bytes(), ownership, true)
            .map_err(|e| Failure::new(format!("`{file}` could not be written: {e}")))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    /// A machine whose `iptables` keeps the rules of one table as the lines of `-S`.
    pub(in super::super) fn machine(rules: &[&str]) -> FakeMachine {
        let machine = FakeMachine::new();
        let state: Arc<Mutex<Vec<String>>> =
            Arc::new(Mutex::new(rules.iter().map(|r| (*r).to_owned()).collect()));
        let saved = state.clone();
        machine.commands.on("iptables", move |_, line| {
            let mut rules = state.lock().unwrap();
            let words: Vec<&str> = line.splitn(6, ' ').collect();
            let (verb, chain) = (words[4], words.get(5).copied().unwrap_or_default());
            let nothing = || Output {
                status: 1,
                stderr: "iptables: Bad rule (does a matching rule exist in that chain?).\n".into(),
                ..Output::default()
            };
            let of = |chain: &str| {
                let begins = [format!("-P {chain} "), format!("-A {chain} "), format!("-N {chain}")];
                move |rule: &&String| begins.iter().any(|b| rule.starts_with(b.as_str()))
            };
            match verb {
                "-C" if !rules.contains(&format!("-A {chain}")) => return nothing(),
                "-C" => {}
                "-S" => {
                    let found: Vec<String> = if chain.is_empty() {
                        rules.clone()
                    } else {
                        rules.iter().filter(of(chain)).cloned().collect()
                    };
                    if found.is_empty() {
                        return nothing();
                    }
                    return Output { stdout: found.join("\n"), ..Output::default() };
                }
                "-A" => rules.push(format!("-A {chain}")),
                "-I" => {
                    let (name, rest) = chain.split_once(' ').unwrap();
                    let (position, rule) = rest.split_once(' ').unwrap();
                    let first = rules
                        .iter()
                        .position(|r| r.starts_with(&format!("-A {name} ")))
                        .unwrap_or(rules.len());
                    rules.insert(first + position.parse::<usize>().unwrap() - 1, format!("-A {name} {rule}"));
                }
                "-D" => {
                    let rule = format!("-A {chain}");
                    match rules.iter().position(|r| *r == rule) {
                        Some(at) => drop(rules.remove(at)),
                        None => {
                            let (name, number) = chain.split_once(' ').unwrap();
                            let begin = format!("-A {name} ");
                            let at = rules.iter().enumerate().filter(|(_, r)| r.starts_with(&begin));
                            let at = at.map(|(i, _)| i).nth(number.parse::<usize>().unwrap() - 1).unwrap();
                            rules.remove(at);
                        }
                    }
                }
                "-P" => {
                    let (name, policy) = chain.split_once(' ').unwrap();
                    let at = rules.iter().position(|r| r.starts_with(&format!("-P {name} "))).unwrap();
                    rules[at] = format!("-P {name} {policy}");
                }
                "-F" => rules.retain(|r| !r.starts_with(&format!("-A {chain}"))),
                "-N" => rules.push(format!("-N {chain}")),
                "-X" => rules.retain(|r| *r != format!("-N {chain}")),
                _ => return Output { status: 2, stderr: format!("what is {line}?"), ..Output::default() },
            }
            Output::default()
        });
        machine.commands.on("iptables-save", move |_, _| Output {
            stdout: format!("*filter\n{}\nCOMMIT\n", saved.lock().unwrap().join("\n")),
            ..Output::default()
        });
        machine
    }
}
