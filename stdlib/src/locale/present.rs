//! `locale.present`

use super::Name;
use crate::{
    Changes, Context, Failure, Outcome, Plan, State, change,
    file::text,
    provider::{
        Ownership,
        tool::{succeed, tool},
    },
};
use zester_stdlib_derive::Arguments;

/// What `locale-gen` of Debian and its kin makes.
const WANTED: &str = "/etc/locale.gen";

/// What it can make.
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";

/// A locale can be used on this machine.
///
/// ```yaml
/// de_DE.UTF-8:
///   locale.present: []
/// ```
#[derive(Arguments)]
#[state("locale.present")]
pub(crate) struct Present {
    /// The locale. Without a character set it has that of its language.
    #[arg(primary, ty = Type::Locale)]
    name: String,
}

/// The list with the line of a locale, which may be there behind a comment character.
fn with(list: &str, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut found = false;
    let mut new = String::new();
    for old in list.lines() {
        let text = old.trim_start_matches(['#', ' ', '\t']);
        let same = text.split_whitespace().take(2).eq(words.iter().copied());
        new.push_str(if same && !found { line } else { old });
        found |= same;
        new.push('\n');
    }
    if !found {
        new.push_str(line);
        new.push('\n');
    }
    new
}

impl Present {
    /// `de_DE.UTF-8 UTF-8`: how the list of `locale-gen` names it.
    fn line(&self, cx: &Context, name: &Name<'_>) -> Result<String, Failure> {
        if let Some(supported) = text::read(cx, SUPPORTED)? {
            let mut names = Vec::new();
            for line in supported.lines() {
                let Some((known, charset)) = line.split_once(char::is_whitespace) else { continue };
                if Name::parse(known).is_ok_and(|k| k.normal() == name.normal())
                    // The character set may stand behind the name alone: `de_DE ISO-8859-1`.
                    || self.name == format!("{known}.{}", charset.trim())
                {
                    return Ok(format!("{known} {}", charset.trim()));
                }
                names.push(known);
            }
            let near = zester_compiler::diagnostic::nearest(&self.name, names.iter().copied());
            return Err(Failure::new(match near {
                Some(near) => format!("there is no locale `{}` in `{SUPPORTED}`; is it `{near}`?", self.name),
                None => format!("there is no locale `{}` in `{SUPPORTED}`", self.name),
            }));
        }
        Ok(format!("{} {}", self.name, name.charset.unwrap_or("ISO-8859-1")))
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = Name::parse(&self.name)?;
        let known = match cx.machine.commands.find("locale") {
            Some(_) => succeed(cx, tool("locale", ["-a"]))?.stdout,
            // A package of this run may bring it.
            None if cx.test => String::new(),
            None => {
                return Err(Failure::new(
                    "this machine has no `locale`; it belongs to the C library's programs",
                ));
            }
        };
        let same = |line: &str| Name::parse(line.trim()).is_ok_and(|other| other.normal() == name.normal());
        if known.lines().any(same) {
            return Ok(Plan::unchanged(format!("the locale `{}` is there", self.name)));
        }
        let changes = Changes::from_iter([("locale".to_owned(), change((), self.name.as_str()))]);
        let generates = cx.machine.commands.find("locale-gen").is_some();
        if cx.test {
            return Ok(Plan::change(changes, format!("would make the locale `{}`", self.name), |_| {
                Ok(Outcome::default())
            }));
        }
        let charset = name.charset.unwrap_or("ISO-8859-1").to_owned();
        let input =
            format!("{}{}", name.language, name.modifier.map(|m| format!("@{m}")).unwrap_or_default());
        let line = if generates { Some(self.line(cx, &name)?) } else { None };
        Ok(Plan::change(changes, format!("made the locale `{}`", self.name), move |cx| {
            let Some(line) = line else {
                succeed(cx, tool("localedef", ["-i", &input, "-f", &charset, &self.name]))?;
                return Ok(Outcome::default());
            };
            let old = text::read(cx, WANTED)?.unwrap_or_default();
            let new = with(&old, &line);
            if new != old {
                cx.machine
                    .files
                    .write(WANTED, new.as_bytes(), Ownership::default(), true)
                    .map_err(|e| Failure::new(format!("`{WANTED}` could not be written: {e}")))?;
            }
            succeed(cx, tool("locale-gen", [""; 0]))?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Output, fake::FakeMachine};
    use zester_compiler::types::Arguments;

    fn machine() -> FakeMachine {
        let machine = FakeMachine::new();
        let files = machine.files.clone();
        machine.commands.on("locale", move |_, line| {
            // What was generated is what the list names.
            let made = files.text("/etc/locale.gen").lines().any(|l| l == "de_DE.UTF-8 UTF-8");
            let stdout = match (line, made) {
                ("locale -a", true) => "C\nC.utf8\nPOSIX\nde_DE.utf8\n",
                ("locale -a", false) => "C\nC.utf8\nPOSIX\n",
                _ => "",
            };
            Output { stdout: stdout.to_owned(), ..Output::default() }
        });
        machine.files.put("/etc/locale.gen", "# The list\n#\n# de_DE ISO-8859-1\n# de_DE.UTF-8 UTF-8\n");
        machine
    }

    #[test]
    fn made_by_the_list() {
        let machine = machine();
        machine.files.put("/usr/share/i18n/SUPPORTED", "de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\n");
        let args = serde_json::from_str(r#"{"name": "de_DE.UTF-8"}"#).unwrap();
        machine.converge::<Present>(&args).unwrap();
        assert_eq!(
            machine.files.text("/etc/locale.gen"),
            "# The list\n#\n# de_DE ISO-8859-1\nde_DE.UTF-8 UTF-8\n"
        );
        assert!(machine.commands.lines().contains(&"locale-gen".to_owned()));
        let odd = Present::from_values(&serde_json::from_str(r#"{"name": "de_DX.UTF-8"}"#).unwrap()).unwrap();
        assert!(odd.plan(&machine.context()).err().unwrap().message.contains("is it `de_DE.UTF-8`?"));
    }

    #[test]
    fn without_a_list_localedef_makes_it() {
        let machine = FakeMachine::new();
        machine.commands.without("locale-gen");
        machine.commands.reply("locale -a", 0, "C\n");
        machine.commands.reply("localedef", 0, "");
        let args = serde_json::from_str(r#"{"name": "de_DE.UTF-8"}"#).unwrap();
        let state = Present::from_values(&args).unwrap();
        let cx = machine.context();
        state.plan(&cx).unwrap().apply.unwrap()(&cx).unwrap();
        assert_eq!(machine.commands.lines(), ["locale -a", "localedef -i de_DE -f UTF-8 de_DE.UTF-8"]);
    }
}
