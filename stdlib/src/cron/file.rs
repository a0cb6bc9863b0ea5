//! `cron.file`: a user's whole crontab comes from a file.

use super::crontab;
use crate::{Arguments, Changes, Context, Failure, Outcome, Plan, State, source};
use zester_compiler::types::{Map, Path, Value};

/// A user's crontab is what a file says.
#[derive(Arguments)]
#[state("cron.file")]
pub(crate) struct File {
    /// Where the file lies.
    #[arg(primary, ty = Type::Source)]
    name: String,
    /// Whose crontab it is.
    #[arg(default = "root")]
    user: String,
    /// Its checksum, for files of the web.
    source_hash: Option<String>,
    /// Which name of a list of checksums is meant.
    source_hash_name: Option<String>,
    /// Whether a file of the web is taken without a checksum.
    #[arg(default = false)]
    skip_verify: bool,
    /// Whether the file is a template.
    #[arg(ty = Type::Template)]
    template: Option<Value>,
    /// Variables of the template.
    context: Option<Map>,
    /// Variables of the template that `context` may replace.
    defaults: Option<Map>,
    /// Whether it is replaced when it is there.
    #[arg(default = true)]
    replace: bool,
    /// Whether a copy of the old one is kept.
    #[arg(inert = "the changes hold what was there before")]
    backup: Option<Value>,
    /// The group.
    #[arg(inert = "cron sets the group of its crontabs")]
    group: Option<Path>,
}

impl State for File {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let user = &self.user;
        let old = crontab::read(cx, user)?;
        if !old.is_empty() && !self.replace {
            return Ok(Plan::unchanged(format!("`{user}` has a crontab")));
        }
        let candidates = source::candidates(&[Value::from(self.name.as_str())]);
        let verify = source::Verify {
            hash: self.source_hash.clone(),
            hash_name: self.source_hash_name.clone(),
            skip: self.skip_verify,
            ..source::Verify::default()
        };
        let found = source::fetch(cx, &candidates, &verify, &self.name, |_| Ok(false))?
            .ok_or_else(|| format!("`{}` could not be read", self.name))?;
        let mut new = String::from_utf8(found.content.to_vec())
            .map_err(|_| format!("`{}` is not text, so it is no crontab", self.name))?;
        let templated =
            self.template.as_ref().is_some_and(|t| !matches!(t, Value::Bool(false) | Value::Null));
        if templated {
            let mut context = self.defaults.clone().unwrap_or_default();
            context.extend(self.context.clone().unwrap_or_default());
            let name = found.tree_path.as_deref().unwrap_or(&self.name);
            new = cx.tree.render(&found.env, name, &new, &context)?;
        }
        if !new.ends_with('\n') && !new.is_empty() {
            new.push('\n');
        }
        if new == old {
            return Ok(Plan::unchanged(format!("the crontab of `{user}` is what `{}` says", self.name)));
        }
        let diff = similar::TextDiff::from_lines(&old, &new).unified_diff().header(user, user).to_string();
        let changes = Changes::from_iter([("diff".to_owned(), diff.into())]);
        let comment = if cx.test { "would replace" } else { "replaced" };
        Ok(Plan::change(changes, format!("{comment} the crontab of `{user}`"), move |cx| {
            crontab::write(cx, &self.user, &new)?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn a_template_becomes_the_crontab() {
        let machine = FakeMachine::new();
        machine.commands.without("crontab");
        machine.files.put_dir("/var/spool/cron/crontabs");
        machine.tree.put("cron/root", "{{ minute }} * * * * /bin/x");
        let context = Map::from_iter([("minute".to_owned(), 5.into())]);
        let args = Map::from_iter([
            ("name".to_owned(), Value::from("zester://cron/root")),
            ("template".to_owned(), "jinja".into()),
            ("context".to_owned(), context.into()),
        ]);
        machine.converge::<File>(&args).unwrap();
        assert_eq!(machine.files.text("/var/spool/cron/crontabs/root"), "5 * * * * /bin/x\n");
    }
}
