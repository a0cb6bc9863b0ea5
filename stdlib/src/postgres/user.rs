//! `postgres_user.present`, `postgres_user.absent`

use super::{
    client::{Server, check_name, identifier, literal},
    password::{Method, fits, hash, is_hash},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use zester_compiler::types::{Secret, Value};
use zester_stdlib_derive::Arguments;

/// A user of a PostgreSQL server exists, with these rights and this password. Rights that are not named stay as they are; a new user may log in and
/// inherits its groups' rights, as PostgreSQL's own `createuser` has it.
///
/// ```yaml
/// app:
///   postgres_user.present:
///     - password: {{ pillar['app_password'] }}
///     - createdb: true
///     - require:
///       - service: postgresql
/// ```
#[derive(Arguments)]
#[state("postgres_user.present")]
pub(crate) struct Present {
    /// The user.
    #[arg(primary)]
    name: String,
    /// Whether it may make databases.
    createdb: Option<bool>,
    /// Whether it may make users.
    #[arg(alias = "createuser")]
    createroles: Option<bool>,
    /// How its password is kept: `md5` or `scram-sha-256`; otherwise as the server is set up. PostgreSQL keeps none in plain text.
    #[arg(ty = Type::Bool.or(Type::Enum(vec!["md5".to_owned(), "scram-sha-256".to_owned()])))]
    encrypted: Option<Value>,
    /// Whether it may do everything.
    superuser: Option<bool>,
    /// Whether it may replicate.
    replication: Option<bool>,
    /// Whether it has the rights of its groups.
    inherit: Option<bool>,
    /// Whether it may log in.
    login: Option<bool>,
    /// Its password, or the password's hash. Compared with what the server keeps, which takes a superuser.
    #[arg(secret)]
    password: Option<Secret>,
    /// The password of a new user, where `password` says nothing; an existing one's stays.
    #[arg(secret)]
    default_password: Option<Secret>,
    /// Whether `password` is set in every run, without looking: for servers where nobody is superuser.
    #[arg(default = false)]
    refresh_password: bool,
    /// Until when its password is good, as `2030-01-01` or `infinity`.
    valid_until: Option<String>,
    /// Groups that it is in, at least.
    groups: Vec<String>,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

/// A user as the server has it.
#[derive(Deserialize, Debug)]
struct Role {
    superuser: bool,
    inherit: bool,
    createroles: bool,
    createdb: bool,
    login: bool,
    replication: bool,
    valid_until: Option<String>,
    /// Whether that is the time that is wanted.
    valid: Option<bool>,
    password: Option<String>,
    groups: Vec<String>,
}

#[derive(Deserialize)]
struct Encryption {
    method: String,
}

#[derive(Deserialize)]
struct Normal {
    text: String,
}

impl Present {
    /// The groups, also from one text with commas.
    fn groups(&self) -> Vec<String> {
        let all = self.groups.iter().flat_map(|text| text.split(','));
        all.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    }

    fn compares_password(&self) -> bool {
        self.password.is_some() && !self.refresh_password
    }

    fn find(&self, cx: &Context) -> Result<Option<Role>, Failure> {
        let valid = match &self.valid_until {
            Some(until) => format!("r.rolvaliduntil = {}::timestamptz", literal(until)),
            None => "NULL::boolean".to_owned(),
        };
        // Only superusers may see the table with the passwords.
        let (password, table) = if self.compares_password() {
            ("r.rolpassword", "pg_authid")
        } else {
            ("NULL::text", "pg_roles")
        };
        let query = format!(
            "SELECT r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS createroles, \
             r.rolcreatedb AS createdb, r.rolcanlogin AS login, r.rolreplication AS replication, \
             r.rolvaliduntil::text AS valid_until, {valid} AS valid, {password} AS password, \
             ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid \
             WHERE m.member = r.oid ORDER BY 1) AS groups FROM {table} r WHERE r.rolname = {}",
            literal(&self.name)
        );
        Ok(self.server.ask(cx, None, &query)?.unwrap_or_default().into_iter().next())
    }

    /// The rights that are named, with what they are now and how SQL calls them.
    fn rights(&self, role: Option<&Role>) -> [(&'static str, &'static str, Option<bool>, Option<bool>); 6] {
        let new = role.is_none();
        let default = |value: Option<bool>| value.or(new.then_some(true));
        [
            ("superuser", "SUPERUSER", self.superuser, role.map(|r| r.superuser)),
            ("createdb", "CREATEDB", self.createdb, role.map(|r| r.createdb)),
            ("createroles", "CREATEROLE", self.createroles, role.map(|r| r.createroles)),
            ("replication", "REPLICATION", self.replication, role.map(|r| r.replication)),
            ("inherit", "INHERIT", default(self.inherit), role.map(|r| r.inherit)),
            ("login", "LOGIN", default(self.login), role.map(|r| r.login)),
        ]
    }

    /// The password that is to be set, if it is not the one there is.
    fn new_password<'p>(&'p self, cx: &Context, role: Option<&Role>) -> Result<Option<&'p str>, Failure> {
        let Some(Secret(password)) = &self.password else {
            let default = self.default_password.as_ref().filter(|_| role.is_none());
            return Ok(default.map(|Secret(password)| &**password));
        };
        let same = match role.and_then(|role| role.password.as_ref()) {
            Some(stored) if self.compares_password() => {
                fits(stored, &self.name, &self.normal(cx, password)?) && self.is_method(stored)
            }
            _ => false,
        };
        Ok((!same).then_some(&**password))
    }

    fn is_method(&self, stored: &str) -> bool {
        match self.encrypted.as_ref().and_then(Value::as_str) {
            Some("md5") => stored.starts_with("md5"),
            Some(_) => stored.starts_with("SCRAM"),
            None => true,
        }
    }

    /// A password in the form that programs hash: they compose its letters.
    fn normal(&self, cx: &Context, password: &str) -> Result<String, Failure> {
        if password.is_ascii() {
            return Ok(password.to_owned());
        }
        let query = format!("SELECT normalize({}, NFKC) AS text", literal(password));
        let answer: Option<Vec<Normal>> = self.server.ask(cx, None, &query)?;
        Ok(answer
            .and_then(|rows| rows.into_iter().next())
            .map_or_else(|| password.to_owned(), |row| row.text))
    }

    /// The hash of a password, made as the author or the server says.
    fn hashed(&self, cx: &Context, password: &str) -> Result<String, Failure> {
        if is_hash(password) {
            return Ok(password.to_owned());
        }
        let method = match self.encrypted.as_ref().and_then(Value::as_str) {
            Some(method) => Method::of(method),
            None => {
                let query = "SELECT current_setting('password_encryption') AS method";
                let answer: Vec<Encryption> = self.server.ask(cx, None, query)?.unwrap_or_default();
                Method::of(answer.first().map_or("scram-sha-256", |setting| &setting.method))
            }
        };
        Ok(hash(method, &self.name, &self.normal(cx, password)?)?)
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("user", name)?;
        let groups = self.groups();
        groups.iter().try_for_each(|group| check_name("group", group))?;
        let role = self.find(cx)?;
        let mut changes = Changes::new();
        let mut options = Vec::new();
        if role.is_none() {
            changes.insert(name.clone(), change((), "a user"));
        }
        for (right, word, wanted, now) in self.rights(role.as_ref()) {
            let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != now) else { continue };
            let no = if wanted { "" } else { "NO" };
            options.push(format!("{no}{word}"));
            changes.insert(right.to_owned(), change(now, wanted));
        }
        if let Some(until) = &self.valid_until
            && role.as_ref().and_then(|role| role.valid) != Some(true)
        {
            options.push(format!("VALID UNTIL {}", literal(until)));
            let old = role.as_ref().and_then(|role| role.valid_until.clone());
            changes.insert("valid_until".to_owned(), change(old, until.as_str()));
        }
        let password = self.new_password(cx, role.as_ref())?;
        if password.is_some() {
            let old = role.as_ref().map(|_| "***");
            changes.insert("password".to_owned(), change(old, "***"));
        }
        let have = role.as_ref().map(|role| role.groups.clone()).unwrap_or_default();
        let joins: Vec<String> = groups.into_iter().filter(|group| !have.contains(group)).collect();
        if !joins.is_empty() {
            let mut all = have.clone();
            all.extend(joins.iter().cloned());
            all.sort();
            changes.insert("groups".to_owned(), change(have, all));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the user `{name}` is as it should be")));
        }
        let (comment, verb) = match role {
            Some(_) => (format!("the user `{name}` is changed"), "ALTER"),
            None => (format!("the user `{name}` is made"), "CREATE"),
        };
        Ok(Plan::change(changes, comment, move |cx| {
            if let Some(password) = password {
                options.push(format!("PASSWORD {}", literal(&self.hashed(cx, password)?)));
            }
            let quoted = identifier(&self.name);
            let mut sql = String::new();
            if verb == "CREATE" || !options.is_empty() {
                sql.push_str(&format!("{verb} ROLE {quoted} {};\n", options.join(" ")));
            }
            for group in &joins {
                sql.push_str(&format!("GRANT {} TO {quoted};\n", identifier(group)));
            }
            self.server.tell(cx, None, &format!("BEGIN;\n{sql}COMMIT;"))?;
            Ok(Outcome::default())
        }))
    }
}

/// A user of a PostgreSQL server does not exist. One that owns something stays, and the server says what.
///
/// ```yaml
/// app:
///   postgres_user.absent: []
/// ```
#[derive(Arguments)]
#[state("postgres_user.absent")]
pub(crate) struct Absent {
    /// The user.
    #[arg(primary)]
    name: String,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("user", name)?;
        let query = format!("SELECT rolname FROM pg_roles WHERE rolname = {}", literal(name));
        let statement = format!("DROP ROLE {};", identifier(name));
        self.server.without(cx, ("user", name), &query, statement)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    /// What a server says of a role after these statements.
    fn row(told: &[String], initial: Option<&str>) -> String {
        let all = told.join(" ");
        if all.contains("DROP ROLE") || (initial.is_none() && !all.contains("CREATE ROLE")) {
            return String::new();
        }
        let has = |word: &str| all.contains(&format!(" {word}"));
        let stored = all.split("PASSWORD '").nth(1).and_then(|rest| rest.split('\'').next());
        let stored = stored.or(initial).map_or("null".to_owned(), |s| format!("\"{s}\""));
        let groups = if all.contains("GRANT") { "[\"staff\"]" } else { "[]" };
        format!(
            "{{\"superuser\":{},\"inherit\":{},\"createroles\":{},\"createdb\":{},\"login\":{},\"replication\":false,\
             \"valid_until\":null,\"valid\":{},\"password\":{stored},\"groups\":{groups}}}\n",
            has("SUPERUSER"),
            has("INHERIT") || initial.is_some(),
            has("CREATEROLE"),
            has("CREATEDB"),
            has("LOGIN") || initial.is_some(),
            has("VALID UNTIL"),
        )
    }

    #[test]
    fn a_user_is_made_with_all_that_it_has() {
        let (machine, told) = machine(|query, told| {
            if query.contains("password_encryption") {
                "{\"method\":\"scram-sha-256\"}\n".to_owned()
            } else {
                row(told, None)
            }
        });
        let wanted = args(
            r#"{"name": "app", "password": "geheim", "createdb": true, "groups": ["staff"], "valid_until": "infinity"}"#,
        );
        let changes = machine.converge::<Present>(&wanted).unwrap().changes;
        assert_eq!(changes["password"], change((), "***"));
        assert_eq!(
            changes.keys().collect::<Vec<_>>(),
            ["app", "createdb", "inherit", "login", "valid_until", "password", "groups"]
        );
        let told = told.lock().unwrap().join("\n");
        assert!(told.starts_with("BEGIN;\nCREATE ROLE \"app\" CREATEDB INHERIT LOGIN VALID UNTIL 'infinity' PASSWORD 'SCRAM-SHA-256$4096:"), "{told}");
        assert!(told.contains("GRANT \"staff\" TO \"app\";\nCOMMIT;") && !told.contains("geheim"), "{told}");
    }

    #[test]
    fn only_what_is_named_and_differs_is_changed() {
        let stored = hash(Method::Md5, "app", "geheim").unwrap();
        let (machine, told) = machine(move |_, told| row(told, Some(&stored)));
        let same = args(r#"{"name": "app", "password": "geheim", "login": true}"#);
        assert!(machine.converge::<Present>(&same).unwrap().changes.is_empty());
        let more = args(r#"{"name": "app", "createdb": true, "password": "other", "encrypted": "md5"}"#);
        let changes = machine.converge::<Present>(&more).unwrap().changes;
        assert_eq!(changes["createdb"], change(false, true));
        assert_eq!(changes["password"], change("***", "***"));
        assert!(told.lock().unwrap()[0].starts_with("BEGIN;\nALTER ROLE \"app\" CREATEDB PASSWORD 'md5"));
    }

    #[test]
    fn a_user_is_removed_once() {
        let (machine, told) = machine(|_, told| row(told, Some("x")));
        let gone = machine.converge::<Absent>(&args(r#"{"name": "o\"x"}"#)).unwrap();
        assert_eq!(gone.changes["o\"x"], change("a user", ()));
        assert_eq!(*told.lock().unwrap(), ["DROP ROLE \"o\"\"x\";"]);
    }

    #[test]
    fn what_the_server_refuses_is_told() {
        let (machine, _) = machine(|_, _| String::new());
        let failure = machine.converge::<Present>(&args(r#"{"name": "broken"}"#)).unwrap_err();
        assert_eq!(
            failure.message,
            "PostgreSQL refuses (`psql` exited with 3): permission denied to create role"
        );
    }
}
