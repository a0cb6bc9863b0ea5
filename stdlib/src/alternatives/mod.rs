//! `alternatives.*`: which of several programs a common name stands for.

mod auto;
mod install;
mod remove;
mod set;

use crate::{
    Context, Failure, Library,
    provider::tool::{run, succeed, tool},
};

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library.state::<install::Install>().state::<set::Set>().state::<remove::Remove>().state::<auto::Auto>();
}

/// What is registered under a name.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Group {
    /// Whether somebody chose.
    pub manual: bool,
    /// The link itself, where the tool tells it.
    pub link: Option<String>,
    /// What it points to.
    pub current: Option<String>,
    /// Paths with their priorities.
    pub choices: Vec<(String, i64)>,
}

impl Group {
    fn priority(&self, path: &str) -> Option<i64> {
        self.choices.iter().find(|(p, _)| p == path).map(|(_, priority)| *priority)
    }

    /// Reads what `--display` prints: Debian's words, or those of chkconfig.
    fn parse(text: &str) -> Self {
        let mut group = Self::default();
        let first = text.lines().next().unwrap_or_default();
        group.manual = first.contains("manual");
        for line in text.lines() {
            let trimmed = line.trim();
            if let Some(path) = trimmed.strip_prefix("link currently points to ") {
                group.current = Some(path.to_owned());
            } else if let Some((_, path)) =
                trimmed.strip_prefix("link ").and_then(|rest| rest.split_once(" is /"))
            {
                group.link = Some(format!("/{path}"));
            } else if line.starts_with('/')
                && let Some((path, rest)) = line.split_once(" - ")
                && let Some(number) = rest.split("priority ").nth(1)
            {
                let number = number.split_whitespace().next().and_then(|n| n.parse().ok());
                group.choices.push((path.to_owned(), number.unwrap_or_default()));
            }
        }
        // `link best version is /x` is no link's path.
        group.link = group.link.filter(|_| !group.choices.is_empty());
        group
    }
}

/// The program that does it here.
fn program(cx: &Context) -> Result<&'static str, Failure> {
    let found =
        ["update-alternatives", "alternatives"].into_iter().find(|p| cx.machine.commands.find(p).is_some());
    found.ok_or_else(|| {
        Failure::new(
            "this machine has no alternatives: neither `update-alternatives` nor `alternatives` is installed",
        )
    })
}

/// What is registered under a name; `None` when nothing is.
pub(crate) fn look(cx: &Context, name: &str) -> Result<Option<Group>, Failure> {
    let text = display(cx, name)?;
    Ok(text.map(|text| Group::parse(&text)).filter(|group| !group.choices.is_empty()))
}

/// What the tool prints about a name; `None` when nothing is registered under it.
pub(crate) fn display(cx: &Context, name: &str) -> Result<Option<String>, Failure> {
    if name.is_empty() || name.starts_with('-') || name.contains(['/', ' ', '\n']) {
        return Err(Failure::new(format!("`{name}` is not the name of an alternative such as `editor`")));
    }
    let output = run(cx, tool(program(cx)?, ["--display", name]))?;
    // The tool's only other reason is that nothing has that name.
    Ok(output.success().then_some(output.stdout))
}

fn act(cx: &Context, args: &[&str]) -> Result<(), Failure> {
    succeed(cx, tool(program(cx)?, args.iter().copied())).map(drop).map_err(Failure::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use std::sync::{Arc, Mutex};

    pub(super) const DEBIAN: &str = "editor - auto mode\n  link best version is /usr/bin/vim.basic\n  link currently points to \
                                     /usr/bin/vim.basic\n  link editor is /usr/bin/editor\n  slave editor.1.gz is \
                                     /usr/share/man/man1/editor.1.gz\n/bin/nano - priority 40\n  slave editor.1.gz: \
                                     /usr/share/man/man1/nano.1.gz\n/usr/bin/vim.basic - priority 30\n";

    /// A machine whose tool keeps one group, `editor`.
    pub(super) fn machine(choices: &[(&str, i64)], current: &str, manual: bool) -> FakeMachine {
        let machine = FakeMachine::new();
        let choices = choices.iter().map(|(p, n)| ((*p).to_owned(), *n)).collect();
        let group =
            Group { manual, link: Some("/usr/bin/editor".into()), current: Some(current.into()), choices };
        let state = Arc::new(Mutex::new(group));
        machine.commands.on("update-alternatives", move |_, line| {
            let words: Vec<&str> = line.split(' ').collect();
            let mut group = state.lock().unwrap();
            match words[1..] {
                ["--display", "editor"] if group.choices.is_empty() => {
                    return Output { status: 2, stderr: "no alternatives for editor\n".into(), ..Output::default() };
                }
                ["--display", "editor"] => {
                    let mode = if group.manual { "manual" } else { "auto" };
                    let mut text = format!(
                        "editor - {mode} mode\n  link best version is /x\n  link currently points to {}\n  link editor is {}\n",
                        group.current.as_deref().unwrap(),
                        group.link.as_deref().unwrap()
                    );
                    for (path, priority) in &group.choices {
                        text.push_str(&format!("{path} - priority {priority}\n"));
                    }
                    return Output { stdout: text, ..Output::default() };
                }
                ["--install", link, "editor", path, priority] => {
                    group.choices.retain(|(p, _)| p != path);
                    group.choices.push((path.to_owned(), priority.parse().unwrap()));
                    group.link = Some(link.to_owned());
                    if !group.manual {
                        group.current = group.choices.iter().max_by_key(|(_, n)| *n).map(|(p, _)| p.clone());
                    }
                }
                ["--set", "editor", path] => {
                    group.manual = true;
                    group.current = Some(path.to_owned());
                }
                ["--remove", "editor", path] => group.choices.retain(|(p, _)| p != path),
                ["--auto", "editor"] => {
                    group.manual = false;
                    group.current = group.choices.iter().max_by_key(|(_, n)| *n).map(|(p, _)| p.clone());
                }
                _ => return Output { status: 2, stderr: format!("what is {line}?"), ..Output::default() },
            }
            Output::default()
        });
        machine
    }

    #[test]
    fn both_tools_are_understood() {
        let group = Group::parse(DEBIAN);
        assert_eq!(group.current.as_deref(), Some("/usr/bin/vim.basic"));
        assert_eq!(group.link.as_deref(), Some("/usr/bin/editor"));
        assert_eq!(group.choices, [("/bin/nano".to_owned(), 40), ("/usr/bin/vim.basic".to_owned(), 30)]);
        let chkconfig = "java - status is manual.\n link currently points to /usr/lib/jvm/j8/bin/java\n/usr/lib/jvm/j8/bin/java - family \
                         java-1.8.0.x86_64 priority 1800151\n slave jre: /usr/lib/jvm/j8/jre\nCurrent `best' version is \
                         /usr/lib/jvm/j8/bin/java.\n";
        let group = Group::parse(chkconfig);
        assert!(group.manual && group.link.is_none());
        assert_eq!(group.choices, [("/usr/lib/jvm/j8/bin/java".to_owned(), 1_800_151)]);
    }

    #[test]
    fn names_are_names() {
        let cx = FakeMachine::new().context();
        assert!(look(&cx, "--all").unwrap_err().message.contains("not the name"));
        let machine = FakeMachine::new();
        machine.commands.without("update-alternatives");
        machine.commands.without("alternatives");
        assert!(look(&machine.context(), "x").unwrap_err().message.contains("no alternatives"));
    }
}
