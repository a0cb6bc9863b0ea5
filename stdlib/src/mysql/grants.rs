//! `mysql_grants.present`, `mysql_grants.absent`

use super::{
    client::Server,
    level::Level,
    privileges::{Granted, Privileges, at},
    quote::{account, check_account, literal},
    tls::{COLUMNS, Tls},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// Whose privileges, and on what.
#[derive(Arguments)]
#[shared]
struct Target {
    /// What the state is called.
    #[arg(primary)]
    name: String,
    /// The privileges, as `SELECT, INSERT`, `UPDATE (price)` for a column, or `ALL PRIVILEGES`.
    grant: Vec<String>,
    /// What they are for: `shop.*` for a database, `shop.orders` for a table, `*.*` for all, `FUNCTION shop.total` for a routine.
    database: String,
    /// The user.
    user: String,
    /// The host that it comes from.
    #[arg(default = "localhost")]
    host: String,
    /// Whether `database` is names as they are. Otherwise it is written as SQL has it, with a pattern such as `` `shop\_%`.* ``.
    #[arg(default = true)]
    escape: bool,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

/// What the server says of a user.
struct Found {
    granted: Granted,
    tls: Tls,
}

impl Target {
    /// The privileges that are named, and what they are for.
    fn read(&self) -> Result<(Granted, Level), Failure> {
        check_account(&self.user, &self.host)?;
        let granted = Privileges::of(&self.grant.join(","))?;
        if self.grant.iter().all(|text| text.trim().is_empty()) {
            return Err(Failure::new(format!(
                "`grant` of `{}` names no privilege; write `SELECT, INSERT` or `ALL PRIVILEGES`",
                self.name
            )));
        }
        Ok((granted, Level::of(&self.database, self.escape)?))
    }

    fn account(&self) -> String {
        account(&self.user, &self.host)
    }

    /// What the user has there. `None` if there is no such user.
    fn find(&self, cx: &Context, level: &Level) -> Result<Option<Found>, Failure> {
        let query = format!(
            "SELECT JSON_OBJECT({COLUMNS}) FROM mysql.user WHERE User = {} AND Host = {}",
            literal(&self.user),
            literal(&self.host)
        );
        let Some(tls) = self.server.ask(cx, &query)?.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let lines =
            self.server.lines(cx, &format!("SHOW GRANTS FOR {}", self.account()))?.unwrap_or_default();
        Ok(Some(Found { granted: at(level, &lines), tls }))
    }
}

/// A user of a MariaDB or MySQL server has these privileges, at least.
///
/// ```yaml
/// app may use its database:
///   mysql_grants.present:
///     - grant: SELECT, INSERT, UPDATE, DELETE
///     - database: shop.*
///     - user: app
///     - host: 10.0.%
///     - require:
///       - mysql_user: app
/// ```
#[derive(Arguments)]
#[state("mysql_grants.present")]
pub(crate) struct Present {
    /// Whose, and on what.
    #[arg(flatten)]
    target: Target,
    /// Whether the user may allow it others.
    #[arg(default = false)]
    grant_option: bool,
    /// Whether privileges on the same that are not named are taken away before.
    #[arg(default = false)]
    revoke_first: bool,
    /// What the user's connections have to show: a list of `SSL: true`, `X509: true`, `SUBJECT: …`, `ISSUER: …`, `CIPHER: …`; an empty one for nothing.
    #[arg(ty = Type::Any)]
    ssl_option: Option<Value>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = &self.target;
        let (named, level) = target.read()?;
        let (wanted, option) = (named.privileges, named.option || self.grant_option);
        let tls = Tls::of(self.ssl_option.as_ref())?;
        let whose = format!("`{}@{}` on `{}`", target.user, target.host, target.database);
        let found = target.find(cx, &level)?;
        if found.is_none() && !cx.test {
            return Err(Failure::new(format!(
                "there is no user `{}@{}` to have privileges; `mysql_user.present` makes it",
                target.user, target.host
            )));
        }
        let (have, now) = found.map(|found| (found.granted, found.tls)).unwrap_or_default();
        let more = if self.revoke_first { wanted.more(&have.privileges) } else { Privileges::default() };
        let kept = have.privileges.without(&more);
        let missing = wanted.missing(&kept);
        let adds_option = option && !have.option;
        let mut changes = Changes::new();
        if !more.is_empty() || !missing.is_empty() {
            let new = kept.with(&missing);
            changes.insert("grant".to_owned(), change(have.privileges.shown(), new.shown()));
        }
        if adds_option {
            changes.insert("grant_option".to_owned(), change(false, true));
        }
        let tls = tls.filter(|tls| !tls.is(&now));
        if let Some(tls) = &tls {
            changes.insert("ssl_option".to_owned(), change(now.sql(), tls.sql()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("{whose} has these privileges")));
        }
        Ok(Plan::change(changes, format!("{whose} gets privileges"), move |cx| {
            let (account, on) = (self.target.account(), level.sql());
            let mut sql = String::new();
            if !more.is_empty() {
                sql.push_str(&format!("REVOKE {} ON {on} FROM {account};\n", more.sql()));
            }
            if !missing.is_empty() || adds_option {
                // The right to allow it others comes with privileges alone.
                let given = if missing.is_empty() { &wanted } else { &missing };
                let given = if given.is_empty() { "USAGE".to_owned() } else { given.sql() };
                let with = if option { " WITH GRANT OPTION" } else { "" };
                sql.push_str(&format!("GRANT {given} ON {on} TO {account}{with};\n"));
            }
            if let Some(tls) = &tls {
                sql.push_str(&format!("ALTER USER {account} REQUIRE {};\n", tls.sql()));
            }
            self.target.server.tell(cx, sql.trim_end())?;
            Ok(Outcome::default())
        }))
    }
}

/// A user of a MariaDB or MySQL server does not have these privileges. One that is for more than what is named here stays.
///
/// ```yaml
/// app must not drop anything:
///   mysql_grants.absent:
///     - grant: DROP
///     - database: shop.*
///     - user: app
///     - host: 10.0.%
/// ```
#[derive(Arguments)]
#[state("mysql_grants.absent")]
pub(crate) struct Absent {
    /// Whose, and on what.
    #[arg(flatten)]
    target: Target,
    /// Whether the right to allow it others goes, too.
    #[arg(default = false)]
    grant_option: bool,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = &self.target;
        let (named, level) = target.read()?;
        let whose = format!("`{}@{}` on `{}`", target.user, target.host, target.database);
        let have = target.find(cx, &level)?.map(|found| found.granted).unwrap_or_default();
        let gone = named.privileges.held(&have.privileges);
        let drops_option = (self.grant_option || named.option) && have.option;
        let mut changes = Changes::new();
        if !gone.is_empty() {
            let shown = have.privileges.without(&gone).shown();
            // Of all but some nobody knows the names.
            let left = if have.privileges.is_all() && !gone.is_all() {
                vec![format!("ALL PRIVILEGES but {}", gone.sql())]
            } else {
                shown
            };
            changes.insert("grant".to_owned(), change(have.privileges.shown(), left));
        }
        if drops_option {
            changes.insert("grant_option".to_owned(), change(true, false));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("{whose} has none of these privileges")));
        }
        Ok(Plan::change(changes, format!("{whose} loses privileges"), move |cx| {
            let (account, on) = (self.target.account(), level.sql());
            let mut sql = String::new();
            if drops_option {
                sql.push_str(&format!("REVOKE GRANT OPTION ON {on} FROM {account};\n"));
            }
            if !gone.is_empty() {
                sql.push_str(&format!("REVOKE {} ON {on} FROM {account};\n", gone.sql()));
            }
            self.target.server.tell(cx, sql.trim_end())?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::client::tests::{MARIADB, machine},
        *,
    };
    use crate::provider::fake::FakeMachine;

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    /// What a server with the user `app` shows after these statements; `initial` is what it has on `shop.*`.
    fn answer(query: &str, told: &[String], initial: &str) -> String {
        if query.contains("User = 'nobody'") {
            return String::new();
        }
        let mut kind = "";
        let mut granted = Privileges::of(initial).unwrap();
        for statement in told.iter().flat_map(|sql| sql.lines()) {
            let words = statement.split(" ON ").next().unwrap();
            if let Some(more) = words.strip_prefix("GRANT ") {
                granted.privileges = granted.privileges.with(&Privileges::of(more).unwrap().privileges);
                granted.option |= statement.contains("WITH GRANT OPTION");
            } else if let Some(fewer) = words.strip_prefix("REVOKE ") {
                let fewer = Privileges::of(fewer).unwrap();
                granted.privileges = granted.privileges.without(&fewer.privileges);
                granted.option &= !fewer.option;
            } else if statement.contains(" REQUIRE SSL") {
                kind = "ANY";
            }
        }
        if query.starts_with("SELECT") {
            return format!("{{\"kind\": \"{kind}\"}}\n");
        }
        let option = if granted.option { " WITH GRANT OPTION" } else { "" };
        let sql = granted.privileges.sql();
        let line = if sql.is_empty() {
            String::new()
        } else {
            format!("GRANT {sql} ON `shop`.* TO `app`@`%`{option}\n")
        };
        format!("GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*00'\n{line}")
    }

    fn server(initial: &'static str) -> (FakeMachine, super::super::client::tests::Told) {
        machine(MARIADB, move |query, told| answer(query, told, initial))
    }

    fn grant(grant: &str, more: &str) -> zester_compiler::types::Map {
        args(&format!(
            r#"{{"name": "x", "grant": {grant}, "database": "shop.*", "user": "app", "host": "%"{more}}}"#
        ))
    }

    #[test]
    fn what_is_missing_is_given() {
        let (machine, told) = server("SELECT");
        let changes = machine.converge::<Present>(&grant(r#""insert, select""#, "")).unwrap().changes;
        assert_eq!(changes["grant"], change(vec!["SELECT"], vec!["INSERT", "SELECT"]));
        let more = r#", "grant_option": true, "ssl_option": [{"SSL": true}]"#;
        let changes = machine.converge::<Present>(&grant(r#"["SELECT"]"#, more)).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["grant_option", "ssl_option"]);
        machine.converge::<Present>(&grant(r#""ALL""#, "")).unwrap();
        assert_eq!(
            *told.lock().unwrap(),
            [
                "GRANT INSERT ON `shop`.* TO 'app'@'%';",
                "GRANT SELECT ON `shop`.* TO 'app'@'%' WITH GRANT OPTION;\nALTER USER 'app'@'%' REQUIRE SSL;",
                "GRANT ALL PRIVILEGES ON `shop`.* TO 'app'@'%';",
            ]
        );
        assert!(machine.converge::<Present>(&grant(r#""delete""#, "")).unwrap().changes.is_empty());
    }

    #[test]
    fn what_is_not_named_is_taken_before() {
        let (machine, told) = server("ALL");
        let first = r#", "revoke_first": true"#;
        let changes = machine.converge::<Present>(&grant(r#""SELECT""#, first)).unwrap().changes;
        assert_eq!(changes["grant"], change(vec!["ALL PRIVILEGES"], vec!["SELECT"]));
        assert_eq!(
            *told.lock().unwrap(),
            ["REVOKE ALL PRIVILEGES ON `shop`.* FROM 'app'@'%';\nGRANT SELECT ON `shop`.* TO 'app'@'%';"]
        );
    }

    #[test]
    fn what_is_named_is_taken() {
        let (machine, told) = server("SELECT, DROP, GRANT OPTION");
        let changes = machine.converge::<Absent>(&grant(r#""DROP, UPDATE""#, "")).unwrap().changes;
        assert_eq!(changes["grant"], change(vec!["DROP", "SELECT"], vec!["SELECT"]));
        machine.converge::<Absent>(&grant(r#""ALL""#, r#", "grant_option": true"#)).unwrap();
        assert_eq!(
            *told.lock().unwrap(),
            [
                "REVOKE DROP ON `shop`.* FROM 'app'@'%';",
                "REVOKE GRANT OPTION ON `shop`.* FROM 'app'@'%';\nREVOKE SELECT ON `shop`.* FROM 'app'@'%';",
            ]
        );
    }

    #[test]
    fn a_user_is_made_before() {
        use zester_compiler::types::Arguments;
        let (machine, _) = server("");
        let nobody = args(r#"{"name": "x", "grant": "ALL", "database": "shop.*", "user": "nobody"}"#);
        let state = Present::from_values(&nobody).unwrap();
        let cx = machine.context();
        let failure = state.plan(&cx).err().unwrap().message;
        assert_eq!(
            failure,
            "there is no user `nobody@localhost` to have privileges; `mysql_user.present` makes it"
        );
        assert!(state.plan(&Context { test: true, ..cx }).unwrap().apply.is_some());
        assert!(machine.converge::<Absent>(&nobody).unwrap().changes.is_empty());
        let none = machine.converge::<Present>(&grant("[]", "")).unwrap_err().message;
        assert!(none.contains("names no privilege"), "{none}");
    }
}
