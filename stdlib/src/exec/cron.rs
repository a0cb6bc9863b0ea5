//! `cron.*` functions: users' crontabs.

use crate::{Context, Library, cron};
use zester_compiler::types::{Map, Value};

exec! {
    /// The text of a user's crontab.
    "cron.raw_cron" probe RawCron {
        /// The user.
        user: String,
    } |it, cx| Ok(cron::read(cx, &it.user)?.into())
}

/// `pre`, `env`, `crons` and `special`, as Salt gives them.
fn crontab(cx: &Context, user: &str) -> Result<Value, String> {
    let table = cron::Table::parse(&cron::read(cx, user)?);
    let (mut crons, mut special) = (Vec::new(), Vec::new());
    let optional = |text: &Option<String>| text.as_ref().map_or(Value::Null, |t| t.as_str().into());
    for job in table.jobs() {
        let mut entry = Map::from_iter([
            ("cmd".to_owned(), Value::from(job.command.as_str())),
            ("identifier".to_owned(), optional(&job.identifier)),
            ("comment".to_owned(), optional(&job.comment)),
            ("commented".to_owned(), job.commented.into()),
        ]);
        if job.schedule.starts_with('@') {
            entry.insert("spec".to_owned(), job.schedule.as_str().into());
            special.push(Value::Map(entry));
        } else {
            let names = ["minute", "hour", "daymonth", "month", "dayweek"];
            let fields = names.iter().zip(job.schedule.split_whitespace());
            entry.extend(fields.map(|(name, field)| ((*name).to_owned(), field.into())));
            crons.push(Value::Map(entry));
        }
    }
    let variables = table.variables().map(|(name, value)| {
        Value::Map(Map::from_iter([
            ("name".to_owned(), Value::from(name)),
            ("value".to_owned(), value.into()),
        ]))
    });
    Ok(Value::Map(Map::from_iter([
        ("pre".to_owned(), table.others().collect::<Vec<_>>().into()),
        ("env".to_owned(), Value::List(variables.collect())),
        ("crons".to_owned(), Value::List(crons)),
        ("special".to_owned(), Value::List(special)),
    ])))
}

exec! {
    /// A user's crontab as data: jobs, those with `@daily` and its like, variables, and other lines.
    "cron.list_tab" probe ListTab {
        /// The user.
        user: String,
    } |it, cx| crontab(cx, &it.user)
}

exec! {
    /// A user's crontab as data: jobs, those with `@daily` and its like, variables, and other lines.
    "cron.ls" probe Ls {
        /// The user.
        user: String,
    } |it, cx| crontab(cx, &it.user)
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<RawCron>().exec::<ListTab>().exec::<Ls>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn a_crontab_is_data() {
        let machine = FakeMachine::new();
        let tab = "# note\nMAILTO=a@b\n# SALT_CRON_IDENTIFIER:up\n5 4 * * * /bin/up\n@daily /bin/day\n";
        machine.commands.reply("crontab -u root -l", 0, tab);
        gives(&machine, "cron.raw_cron", r#"["root"]"#, &format!("{tab:?}"));
        let found = call(&machine, "cron.list_tab", r#"["root"]"#, "{}").unwrap();
        let text = |path: &str| found.lookup(path, ':').map(ToString::to_string);
        assert_eq!(text("crons:0:minute").as_deref(), Some("5"));
        assert_eq!(text("crons:0:identifier").as_deref(), Some("up"));
        assert_eq!(text("special:0:spec").as_deref(), Some("@daily"));
        assert_eq!(text("env:0:name").as_deref(), Some("MAILTO"));
        assert_eq!(text("pre:0").as_deref(), Some("# note"));
    }
}
