//! `locale.system`

use super::Name;
use crate::{
    Changes, Context, Failure, Plan, State, change,
    file::{
        path,
        text::{self, Edit},
    },
};
use zester_stdlib_derive::Arguments;

/// The machine's language: `LANG` of everything that starts from now on.
///
/// ```yaml
/// de_DE.UTF-8:
///   locale.present: []
///
/// system-language:
///   locale.system:
///     - name: de_DE.UTF-8
///     - require:
///       - locale: de_DE.UTF-8
/// ```
#[derive(Arguments)]
#[state("locale.system")]
pub(crate) struct System {
    /// The locale.
    #[arg(primary, ty = Type::Locale)]
    name: String,
}

/// The file that says it here: systemd's, else Debian's, else that of older Red Hats.
fn file(cx: &Context) -> Result<&'static str, Failure> {
    for (sign, file) in [
        ("/etc/locale.conf", "/etc/locale.conf"),
        ("/etc/debian_version", "/etc/default/locale"),
        ("/etc/sysconfig/i18n", "/etc/sysconfig/i18n"),
    ] {
        if path::stat(cx, sign, true)?.is_some() {
            return Ok(file);
        }
    }
    Ok("/etc/locale.conf")
}

fn lang(line: &str) -> Option<&str> {
    let value = line.trim_start().strip_prefix("LANG=")?;
    Some(value.trim().trim_matches(['"', '\'']))
}

/// The language of the machine, where one is set.
pub(crate) fn current(cx: &Context) -> Result<Option<String>, Failure> {
    let text = text::read(cx, file(cx)?)?.unwrap_or_default();
    Ok(text.lines().find_map(lang).map(str::to_owned))
}

impl State for System {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let wanted = Name::parse(&self.name)?.normal();
        let file = file(cx)?;
        let text = text::read(cx, file)?.unwrap_or_default();
        let old = text.lines().find_map(lang).map(str::to_owned);
        if old.as_deref().is_some_and(|old| Name::parse(old).is_ok_and(|name| name.normal() == wanted)) {
            return Ok(Plan::unchanged(format!("the language of the machine is `{}`", self.name)));
        }
        let mut new: String =
            text.lines().filter(|line| lang(line).is_none()).flat_map(|line| [line, "\n"]).collect();
        new.push_str(&format!("LANG={}\n", self.name));
        let mut plan = Edit { makedirs: true, ..Edit::new(file.to_owned()) }.plan(cx, new)?;
        plan.changes = Changes::from_iter([("LANG".to_owned(), change(old, self.name.as_str()))]);
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn where_this_machine_keeps_it() {
        let args = serde_json::from_str(r#"{"name": "de_DE.UTF-8"}"#).unwrap();
        let machine = FakeMachine::new();
        machine.files.put("/etc/debian_version", "12\n");
        machine.converge::<System>(&args).unwrap();
        assert_eq!(machine.files.text("/etc/default/locale"), "LANG=de_DE.UTF-8\n");
        machine.files.put("/etc/locale.conf", "LANG=\"C\"\nLC_TIME=C\n");
        let outcome = machine.converge::<System>(&args).unwrap();
        assert_eq!(outcome.changes["LANG"], change("C", "de_DE.UTF-8"));
        assert_eq!(machine.files.text("/etc/locale.conf"), "LC_TIME=C\nLANG=de_DE.UTF-8\n");
        machine.files.put("/etc/locale.conf", "LANG=de_DE.utf8\n");
        assert!(machine.converge::<System>(&args).unwrap().changes.is_empty());
    }
}
