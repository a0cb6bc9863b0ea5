//! `mysql_user.present`, `mysql_user.absent`

use super::{
    client::Server,
    password::{NATIVE, fits, native, plugin_of},
    quote::{account, check_account, check_word, identifier, literal},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use serde::Deserialize;
use zester_compiler::types::Secret;
use zester_stdlib_derive::Arguments;

/// A user of a MariaDB or MySQL server exists, with this password. What a user may do is `mysql_grants.present`'s.
///
/// ```yaml
/// app:
///   mysql_user.present:
///     - host: 10.0.%
///     - password: {{ pillar['app_password'] }}
///     - require:
///       - service: mariadb
/// ```
#[derive(Arguments)]
#[state("mysql_user.present")]
pub(crate) struct Present {
    /// The user.
    #[arg(primary)]
    name: String,
    /// The host that it comes from: a name, an address, or a pattern with `%` and `_`.
    #[arg(default = "localhost")]
    host: String,
    /// Its password. Compared with what the server keeps, where that is a hash that can be computed.
    #[arg(secret)]
    password: Option<Secret>,
    /// The hash of its password, as the server keeps it. `password` counts for more.
    #[arg(secret)]
    password_hash: Option<Secret>,
    /// Whether it may have no password.
    #[arg(default = false)]
    allow_passwordless: bool,
    /// Whether the user of the system that has its name comes in without a password, and nobody else.
    #[arg(default = false)]
    unix_socket: bool,
    /// The column of the table `mysql.user` that has the password; found by itself if nothing is said.
    password_column: Option<String>,
    /// What keeps its password, as `mysql_native_password`, `ed25519`, `caching_sha2_password`. If nothing is said an existing user's stays, and a new one has
    /// the server's own.
    auth_plugin: Option<String>,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

/// How a user is to come in.
#[derive(Clone, Copy, PartialEq)]
enum Wanted<'p> {
    Socket,
    Nothing,
    Password(&'p str),
    Hash(&'p str),
}

/// A user as the server has it.
#[derive(Deserialize)]
struct User {
    plugin: Option<String>,
    stored: Option<String>,
}

/// Whether a plugin lets the system's user in.
fn is_socket(plugin: &str) -> bool {
    matches!(plugin, "unix_socket" | "auth_socket")
}

impl User {
    fn plugin(&self) -> &str {
        self.plugin.as_deref().filter(|plugin| !plugin.is_empty()).unwrap_or(NATIVE)
    }

    fn stored(&self) -> &str {
        self.stored.as_deref().unwrap_or_default()
    }

    fn is_socket(&self) -> bool {
        is_socket(self.plugin())
    }
}

impl Present {
    fn is_socket(&self) -> bool {
        self.unix_socket || self.auth_plugin.as_deref().is_some_and(is_socket)
    }

    fn wanted(&self) -> Result<Wanted<'_>, Failure> {
        let given = |secret: &Option<Secret>| secret.as_ref().is_some_and(|Secret(text)| !text.is_empty());
        let (password, hash) = (given(&self.password), given(&self.password_hash));
        if self.is_socket() && (password || hash) {
            return Err(Failure::new(format!(
                "the user `{}` comes in by a password or by `unix_socket`; leave out one of them",
                self.name
            )));
        }
        Ok(match (&self.password, &self.password_hash) {
            _ if self.is_socket() => Wanted::Socket,
            (Some(Secret(text)), _) if password => Wanted::Password(text),
            (_, Some(Secret(text))) if hash => Wanted::Hash(text),
            _ if self.allow_passwordless => Wanted::Nothing,
            _ => {
                return Err(Failure::new(format!(
                    "the user `{}` has neither `password` nor `password_hash`; `allow_passwordless: true` allows that, `unix_socket: true` lets the system's user of \
                     that name in",
                    self.name
                )));
            }
        })
    }

    fn find(&self, cx: &Context, mariadb: bool) -> Result<Option<User>, Failure> {
        let stored = match &self.password_column {
            Some(column) => identifier(column),
            // Older servers of MariaDB have the old passwords in a column of their own.
            None if mariadb => "COALESCE(NULLIF(authentication_string, ''), Password)".to_owned(),
            None => "authentication_string".to_owned(),
        };
        let query = format!(
            "SELECT JSON_OBJECT('plugin', plugin, 'stored', CONVERT({stored} USING utf8mb4)) FROM mysql.user WHERE User = {} AND Host = {}",
            literal(&self.name),
            literal(&self.host)
        );
        Ok(self.server.ask(cx, &query)?.unwrap_or_default().into_iter().next())
    }

    /// Whether the user comes in as it should.
    fn is_right(&self, wanted: Wanted<'_>, user: &User) -> Result<bool, Failure> {
        let plugin = user.plugin();
        if wanted != Wanted::Socket && self.auth_plugin.as_deref().is_some_and(|other| other != plugin) {
            return Ok(false);
        }
        Ok(match wanted {
            Wanted::Socket => user.is_socket(),
            Wanted::Nothing => !user.is_socket() && user.stored().is_empty(),
            Wanted::Hash(hash) if hash.starts_with('*') => user.stored().eq_ignore_ascii_case(hash),
            Wanted::Hash(hash) => user.stored() == hash,
            Wanted::Password(_) if user.is_socket() => false,
            Wanted::Password(password) => fits(plugin, user.stored(), password).ok_or_else(|| {
                Failure::new(format!(
                    "the password of `{}` is kept by `{plugin}`, whose hashes cannot be compared with a password; give the hash that the server is to keep as \
                     `password_hash`",
                    self.name
                ))
            })?,
        })
    }

    /// What comes behind the user's name.
    fn identified(&self, wanted: Wanted<'_>, mariadb: bool, user: Option<&User>) -> Result<String, Failure> {
        let own = user.filter(|user| !user.is_socket()).map(User::plugin);
        let hashed = if let Wanted::Hash(hash) = wanted { plugin_of(hash) } else { None };
        let plugin = self.auth_plugin.as_deref().or(hashed).or(own);
        if mariadb {
            let old = plugin.is_none_or(|plugin| plugin == NATIVE);
            let via = |plugin: &str| format!("VIA {}", literal(plugin));
            return Ok(match wanted {
                Wanted::Socket => via("unix_socket"),
                Wanted::Nothing if old => "BY PASSWORD ''".to_owned(),
                Wanted::Password(password) if old => format!("BY PASSWORD {}", literal(&native(password))),
                Wanted::Hash(hash) if old => format!("BY PASSWORD {}", literal(hash)),
                Wanted::Nothing => format!("{} USING ''", via(plugin.unwrap_or(NATIVE))),
                Wanted::Password(password) => {
                    format!("{} USING PASSWORD({})", via(plugin.unwrap_or(NATIVE)), literal(password))
                }
                Wanted::Hash(hash) => format!("{} USING {}", via(plugin.unwrap_or(NATIVE)), literal(hash)),
            });
        }
        let with = |plugin: &str| format!("WITH {}", literal(plugin));
        Ok(match wanted {
            Wanted::Socket => with("auth_socket"),
            Wanted::Password(password) if plugin == Some(NATIVE) => {
                format!("{} AS {}", with(NATIVE), literal(&native(password)))
            }
            Wanted::Password(_) | Wanted::Nothing => {
                let password = if let Wanted::Password(password) = wanted { password } else { "" };
                let with = plugin.map(|plugin| with(plugin) + " ").unwrap_or_default();
                format!("{with}BY {}", literal(password))
            }
            Wanted::Hash(hash) => {
                let plugin = plugin.ok_or_else(|| {
                    Failure::new(format!(
                        "whose hash `password_hash` of `{}` is cannot be told; name the plugin in `auth_plugin`",
                        self.name
                    ))
                })?;
                format!("{} AS {}", with(plugin), literal(hash))
            }
        })
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let (name, host) = (&self.name, &self.host);
        check_account(name, host)?;
        for word in self.auth_plugin.iter().chain(&self.password_column) {
            check_word("plugin or column", word)?;
        }
        let wanted = self.wanted()?;
        let mariadb = self.server.is_mariadb(cx)?;
        let user = self.find(cx, mariadb)?;
        let right = user.as_ref().map(|user| self.is_right(wanted, user)).transpose()?.unwrap_or_default();
        if right {
            return Ok(Plan::unchanged(format!("the user `{name}@{host}` is as it should be")));
        }
        let mut changes = Changes::new();
        if user.is_none() {
            changes.insert(format!("{name}@{host}"), change((), "a user"));
        }
        let plugin = if wanted == Wanted::Socket { Some("unix_socket") } else { self.auth_plugin.as_deref() };
        let have = user.as_ref().map(User::plugin);
        if let Some(plugin) = plugin.filter(|plugin| Some(*plugin) != have) {
            changes.insert("auth_plugin".to_owned(), change(have, plugin));
        }
        let old = user.as_ref().filter(|user| !user.stored().is_empty()).map(|_| "***");
        match wanted {
            Wanted::Socket => {}
            Wanted::Nothing if user.is_none() => {}
            Wanted::Nothing => drop(changes.insert("password".to_owned(), change(old, ()))),
            Wanted::Password(_) | Wanted::Hash(_) => {
                changes.insert("password".to_owned(), change(old, "***"));
            }
        }
        let (verb, is) = if user.is_some() { ("ALTER", "changed") } else { ("CREATE", "made") };
        Ok(Plan::change(changes, format!("the user `{name}@{host}` is {is}"), move |cx| {
            let identified = self.identified(wanted, mariadb, user.as_ref())?;
            let account = account(&self.name, &self.host);
            self.server.tell(cx, &format!("{verb} USER {account} IDENTIFIED {identified};"))?;
            Ok(Outcome::default())
        }))
    }
}

/// A user of a MariaDB or MySQL server does not exist. The user without a name is anybody.
///
/// ```yaml
/// app:
///   mysql_user.absent:
///     - host: 10.0.%
/// ```
#[derive(Arguments)]
#[state("mysql_user.absent")]
pub(crate) struct Absent {
    /// The user.
    #[arg(primary)]
    name: String,
    /// The host that it comes from.
    #[arg(default = "localhost")]
    host: String,
    /// How the server is reached.
    #[arg(flatten)]
    server: Server,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let (name, host) = (&self.name, &self.host);
        check_account(name, host)?;
        let query = format!(
            "SELECT JSON_OBJECT('plugin', plugin) FROM mysql.user WHERE User = {} AND Host = {}",
            literal(name),
            literal(host)
        );
        let users: Option<Vec<User>> = self.server.ask(cx, &query)?;
        let is_there = !users.unwrap_or_default().is_empty();
        Ok(Plan::removal(("user", &format!("{name}@{host}")), is_there, move |cx| {
            self.server.tell(cx, &format!("DROP USER {};", account(&self.name, &self.host)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::client::tests::{MARIADB, MYSQL, machine},
        *,
    };

    fn args(json: &str) -> zester_compiler::types::Map {
        serde_json::from_str(json).unwrap()
    }

    /// What a server says of a user after these statements.
    fn row(told: &[String], initial: Option<(&str, &str)>) -> String {
        let mut user = initial.map(|(plugin, stored)| (plugin.to_owned(), stored.to_owned()));
        for sql in told {
            let quoted = |after: &str| sql.split(after).nth(1).and_then(|rest| rest.split('\'').next());
            if sql.starts_with("DROP USER") {
                user = None;
            } else if let Some(plugin) = quoted(" VIA '").or(quoted(" WITH '")) {
                let stored = quoted(" USING '").or(quoted(" AS '")).unwrap_or_default();
                user = Some((plugin.to_owned(), stored.to_owned()));
            } else if let Some(stored) = quoted(" BY PASSWORD '") {
                user = Some((NATIVE.to_owned(), stored.to_owned()));
            }
        }
        user.map(|(plugin, stored)| format!("{{\"plugin\": \"{plugin}\", \"stored\": \"{stored}\"}}\n"))
            .unwrap_or_default()
    }

    #[test]
    fn a_user_is_made_with_the_hash_of_its_password() {
        let (machine, told) = machine(MARIADB, |_, told| row(told, None));
        let wanted = args(r#"{"name": "o'x", "host": "10.%", "password": "password"}"#);
        let changes = machine.converge::<Present>(&wanted).unwrap().changes;
        assert_eq!(changes["o'x@10.%"], change((), "a user"));
        assert_eq!(changes["password"], change((), "***"));
        assert_eq!(
            *told.lock().unwrap(),
            ["CREATE USER 'o''x'@'10.%' IDENTIFIED BY PASSWORD '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19';"]
        );
    }

    #[test]
    fn what_differs_is_changed() {
        let (machine, told) =
            machine(MARIADB, |_, told| row(told, Some(("", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"))));
        let same = args(r#"{"name": "app", "password": "password", "auth_plugin": "mysql_native_password"}"#);
        assert!(machine.converge::<Present>(&same).unwrap().changes.is_empty());
        let hash = args(r#"{"name": "app", "password_hash": "*2470c0c06dee42fd1618bb99005adca2ec9d1e19"}"#);
        assert!(machine.converge::<Present>(&hash).unwrap().changes.is_empty());
        let socket = machine.converge::<Present>(&args(r#"{"name": "app", "unix_socket": true}"#)).unwrap();
        assert_eq!(socket.changes["auth_plugin"], change(NATIVE, "unix_socket"));
        let plugin = args(r#"{"name": "app", "auth_plugin": "unix_socket"}"#);
        assert!(machine.converge::<Present>(&plugin).unwrap().changes.is_empty());
        let nothing = args(r#"{"name": "app", "allow_passwordless": true}"#);
        machine.converge::<Present>(&nothing).unwrap();
        let ed = args(r#"{"name": "app", "password_hash": "Gv2J", "auth_plugin": "ed25519"}"#);
        assert_eq!(
            machine.converge::<Present>(&ed).unwrap().changes["auth_plugin"],
            change(NATIVE, "ed25519")
        );
        assert_eq!(
            *told.lock().unwrap(),
            [
                "ALTER USER 'app'@'localhost' IDENTIFIED VIA 'unix_socket';",
                "ALTER USER 'app'@'localhost' IDENTIFIED BY PASSWORD '';",
                "ALTER USER 'app'@'localhost' IDENTIFIED VIA 'ed25519' USING 'Gv2J';",
            ]
        );
        let failure = machine.converge::<Present>(&args(r#"{"name": "app", "password": "x"}"#)).unwrap_err();
        assert!(failure.message.contains("`password_hash`"), "{}", failure.message);
    }

    #[test]
    fn mysql_has_words_of_its_own() {
        let (machine, told) = machine(MYSQL, |_, told| row(told, None));
        let old = args(r#"{"name": "app", "password": "password", "auth_plugin": "mysql_native_password"}"#);
        machine.converge::<Present>(&old).unwrap();
        let hash = args(r#"{"name": "app", "password_hash": "$A$005$x"}"#);
        machine.converge::<Present>(&hash).unwrap();
        machine.converge::<Absent>(&args(r#"{"name": "app"}"#)).unwrap();
        assert_eq!(
            *told.lock().unwrap(),
            [
                "CREATE USER 'app'@'localhost' IDENTIFIED WITH 'mysql_native_password' AS '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19';",
                "ALTER USER 'app'@'localhost' IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$x';",
                "DROP USER 'app'@'localhost';",
            ]
        );
    }

    #[test]
    fn how_a_user_comes_in_is_said_once() {
        let (machine, told) = machine(MARIADB, |_, told| row(told, None));
        let failure = |json: &str| machine.converge::<Present>(&args(json)).unwrap_err().message;
        assert!(failure(r#"{"name": "app"}"#).contains("`allow_passwordless: true`"));
        assert!(failure(r#"{"name": "app", "password": ""}"#).contains("neither"));
        assert!(
            failure(r#"{"name": "app", "password": "x", "unix_socket": true}"#).contains("leave out one")
        );
        let both = args(r#"{"name": "app", "password": "password", "password_hash": "*00"}"#);
        machine.converge::<Present>(&both).unwrap();
        assert!(told.lock().unwrap()[0].ends_with(" '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19';"));
        let refused = failure(r#"{"name": "broken", "password": "geheim"}"#);
        assert!(
            refused.ends_with("1396 (HY000): Operation CREATE USER failed for 'broken'@'localhost'"),
            "{refused}"
        );
    }
}
