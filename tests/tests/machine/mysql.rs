//! `mysql_*` against a real MariaDB server, unpacked from Debian's packages.

use crate::host::Host;
use std::{
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use zester_compiler::types::{Map, Value};
use zester_tests::debian::Unpacked;

/// A server with a directory of its own, which listens on a socket there alone.
struct Server {
    host: Host,
    directory: TempDir,
    child: Child,
}

/// The name of the user that tests run as: the server lets its own in by that name.
fn own_name() -> Option<String> {
    let uid = fs::metadata("/proc/self").ok()?.uid().to_string();
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    line.split(':').next().map(str::to_owned)
}

impl Server {
    fn start() -> Result<Self, String> {
        let unpacked = Unpacked::of(&["mariadb-server-core", "mariadb-client-core"])?;
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        let share = unpacked.path("usr/share/mysql");
        let user = own_name().ok_or("the user that tests run as has no name")?;
        let server = |words: &[String]| {
            let mut command = Command::new(unpacked.program("mariadbd").unwrap());
            command.arg("--no-defaults").args(words).stdout(Stdio::null()).stderr(Stdio::null());
            command.arg(format!("--datadir={}", data.display())).arg(format!("--user={user}"));
            command.arg(format!("--lc-messages-dir={}", share.display()));
            command.arg(format!("--plugin-dir={}", unpacked.path("usr/lib/mysql/plugin").display()));
            command.args(["--innodb-buffer-pool-size=20M", "--innodb-log-file-size=8M"]);
            command.env("LD_LIBRARY_PATH", unpacked.libraries());
            command
        };
        // As `mariadb-install-db` does it, without the shell.
        let mut sql = format!("create database mysql;\nuse mysql;\nset @auth_root_socket='{user}';\n");
        for name in
            ["mysql_system_tables.sql", "mysql_system_tables_data.sql", "mysql_performance_tables.sql"]
        {
            sql.push_str(&fs::read_to_string(share.join(name)).map_err(|e| format!("{name}: {e}"))?);
        }
        let mut bootstrap = server(&["--bootstrap".to_owned()]).stdin(Stdio::piped()).spawn().unwrap();
        bootstrap.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        assert!(bootstrap.wait().unwrap().success(), "the server makes no tables");
        let socket = format!("--socket={}", directory.path().join("socket").display());
        let child = server(&[socket, "--skip-networking".to_owned()]).stdin(Stdio::null()).spawn().unwrap();
        let host = Host::with_programs(unpacked.commands());
        let mut server = Self { host, directory, child };
        let until = Instant::now() + Duration::from_secs(60);
        while server.host.converge("mysql_database.absent", &server.with(r#""name": "none""#)).is_err() {
            assert!(Instant::now() < until, "the server does not start");
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    fn with(&self, args: &str) -> String {
        format!(r#"{{{args}, "connection_unix_socket": "{}/socket"}}"#, self.directory.path().display())
    }

    #[track_caller]
    fn converge(&self, function: &str, args: &str) -> Result<Map, String> {
        self.host.converge(function, &self.with(args))
    }

    /// Whether a user gets in with a password.
    fn lets_in(&self, user: &str, password: &str) -> bool {
        let args = format!(
            r#""name": "none", "connection_user": {}, "connection_pass": {}"#,
            serde_json::to_string(user).unwrap(),
            serde_json::to_string(password).unwrap()
        );
        self.converge("mysql_database.absent", &args).is_ok()
    }

    /// What statements give, as the server's own user runs them.
    fn query(&self, database: &str, sql: &str) -> String {
        let output = self.directory.path().join("rows");
        let args = format!(
            r#""name": "x", "database": "{database}", "query": {}, "output": "{}""#,
            serde_json::to_string(sql).unwrap(),
            output.display()
        );
        let args: Map = serde_json::from_str(&self.with(&args)).unwrap();
        let state = self.host.library.build("mysql_query.run", &args).unwrap();
        let plan = state.plan(&self.host.cx).map_err(|e| e.message).unwrap();
        plan.apply.unwrap()(&self.host.cx).map_err(|e| e.message).unwrap();
        fs::read_to_string(output).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server(test: &str) -> Option<Server> {
    Server::start().map_err(|why| eprintln!("{test}: skipped: {why}")).ok()
}

#[test]
fn users_databases_and_privileges() {
    let Some(server) = server("mysql") else { return };
    let changes =
        server.converge("mysql_user.present", r#""name": "app", "password": "gehäim'\\\"""#).unwrap();
    assert!(changes.contains_key("app@localhost") && !format!("{changes:?}").contains("geh"), "{changes:?}");
    assert!(server.lets_in("app", "gehäim'\\\"") && !server.lets_in("app", "other"));
    let changes = server.converge("mysql_user.present", r#""name": "app", "password": "neu""#).unwrap();
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["password"]);
    assert!(server.lets_in("app", "neu"));
    let hash = r#""name": "app", "password_hash": "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19""#;
    server.converge("mysql_user.present", hash).unwrap();
    assert!(server.lets_in("app", "password"));
    server.converge("mysql_user.present", r#""name": "app", "allow_passwordless": true"#).unwrap();
    assert!(server.lets_in("app", ""));
    let socket = server.converge("mysql_user.present", r#""name": "app", "unix_socket": true"#).unwrap();
    assert_eq!(socket["auth_plugin"].lookup("new", ':'), Some(&"unix_socket".into()));
    assert!(!server.lets_in("app", ""));
    let old = r#""name": "app", "password": "neu", "auth_plugin": "mysql_native_password""#;
    assert_eq!(server.converge("mysql_user.present", old).unwrap().keys().count(), 2);
    server.converge("mysql_user.present", r#""name": "app", "host": "10.0.%", "password": "neu""#).unwrap();
    let refused =
        server.converge("mysql_user.present", r#""name": "app", "password_hash": "*00""#).unwrap_err();
    assert!(refused.starts_with("the server refuses") && !refused.contains("*00'"), "{refused}");

    let database = r#""name": "my_shop", "character_set": "utf8", "collate": "utf8_general_ci""#;
    assert_eq!(server.converge("mysql_database.present", database).unwrap().len(), 3);
    let other = r#""name": "my_shop", "character_set": "utf8mb4", "collate": "utf8mb4_unicode_ci""#;
    assert_eq!(server.converge("mysql_database.present", other).unwrap().len(), 2);
    let odd =
        server.converge("mysql_database.present", r#""name": "my_shop", "collate": "none""#).unwrap_err();
    assert!(odd.contains("Unknown collation"), "{odd}");
    server.query(
        "my_shop",
        "CREATE TABLE `old orders` (id int, price int); CREATE FUNCTION two() RETURNS int RETURN 2",
    );
    assert_eq!(server.query("my_shop", "SELECT two() AS n"), "n\n2\n");
    let (file, rows) = (server.directory.path().join("more.sql"), server.directory.path().join("once"));
    fs::write(&file, "DELIMITER //\nCREATE PROCEDURE three() SELECT 3 AS n//\nDELIMITER ;\nCALL three();\n")
        .unwrap();
    let once = format!(
        r#""name": "x", "database": "my_shop", "query_file": "{}", "output": "{}", "overwrite": false"#,
        file.display(),
        rows.display()
    );
    assert_eq!(server.converge("mysql_query.run_file", &once).unwrap()["query"], "executed".into());
    assert_eq!(fs::read_to_string(rows).unwrap(), "n\n3\n");

    let grant = |grant: &str, on: &str, more: &str| {
        format!(r#""name": "x", "user": "app", "grant": "{grant}", "database": "{on}"{more}"#)
    };
    let present = |args: &str| server.converge("mysql_grants.present", args);
    let absent = |args: &str| server.converge("mysql_grants.absent", args);
    let list = |words: &[&str]| Value::from(words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    assert_eq!(present(&grant("select, insert", "my_shop.*", "")).unwrap().len(), 1);
    assert!(server.query("mysql", "SHOW GRANTS FOR app@localhost").contains(r"`my\\_shop`.*"));
    assert!(present(&grant("INSERT", "my_shop.*", "")).unwrap().is_empty());
    assert_eq!(present(&grant("ALL", "my_shop.*", r#", "grant_option": true"#)).unwrap().len(), 2);
    assert!(present(&grant("DROP", "my_shop.*", "")).unwrap().is_empty());
    let fewer = present(&grant("SELECT", "my_shop.*", r#", "revoke_first": true"#)).unwrap();
    assert_eq!(fewer["grant"].lookup("new", ':'), Some(&list(&["SELECT"])));
    assert_eq!(absent(&grant("ALL PRIVILEGES", "my_shop.*", r#", "grant_option": true"#)).unwrap().len(), 2);
    present(&grant("SELECT (price, id), UPDATE", "my_shop.old orders", "")).unwrap();
    let gone = absent(&grant("SELECT (id)", "my_shop.old orders", "")).unwrap();
    assert_eq!(gone["grant"].lookup("new", ':'), Some(&list(&["SELECT (price)", "UPDATE"])));
    present(&grant("EXECUTE", "FUNCTION my_shop.two", "")).unwrap();
    present(&grant("ALL", r"`my\\_%`.*", r#", "escape": false"#)).unwrap();
    present(&grant("replication client, delete versioning rows, process", "*.*", "")).unwrap();
    absent(&grant("REPLICATION CLIENT", "*.*", "")).unwrap();
    present(&grant("ALL PRIVILEGES", "*.*", r#", "grant_option": true"#)).unwrap();
    absent(&grant("ALL", "*.*", r#", "grant_option": true"#)).unwrap();
    let tls = r#", "ssl_option": [{"SUBJECT": "/CN=o'x"}, {"ISSUER": "/CN=y"}]"#;
    assert_eq!(present(&grant("USAGE", "*.*", tls)).unwrap().keys().collect::<Vec<_>>(), ["ssl_option"]);
    assert_eq!(present(&grant("USAGE", "*.*", r#", "ssl_option": []"#)).unwrap().len(), 1);
    let odd = present(&grant("FLY", "my_shop.*", "")).unwrap_err();
    assert!(odd.contains("1064"), "{odd}");

    server.converge("mysql_user.absent", r#""name": "app""#).unwrap();
    server.converge("mysql_user.absent", r#""name": "app", "host": "10.0.%""#).unwrap();
    server.converge("mysql_database.absent", r#""name": "my_shop""#).unwrap();
}

#[test]
fn names_are_names_whatever_they_hold() {
    let Some(server) = server("mysql names") else { return };
    server.converge("mysql_user.present", r#""name": "victim", "password": "x""#).unwrap();
    for name in [
        r"a'; DROP USER victim@localhost; -- x",
        r"b\'; DROP USER victim@localhost; -- x",
        r"c` \! touch x",
        "d\"%_",
        "e'@'%",
    ] {
        let quoted = serde_json::to_string(name).unwrap();
        let user = format!(r#""name": {quoted}, "host": "o'x%", "password": {quoted}"#);
        server.converge("mysql_user.present", &user).unwrap();
        server.converge("mysql_database.present", &format!(r#""name": {quoted}"#)).unwrap();
        let on = serde_json::to_string(&format!("{name}.*")).unwrap();
        let grant = format!(
            r#""name": "x", "user": {quoted}, "host": "o'x%", "database": {on}, "grant": "SELECT", "ssl_option": [{{"SUBJECT": {quoted}}}]"#
        );
        assert_eq!(server.converge("mysql_grants.present", &grant).unwrap().len(), 2, "{name}");
        let grant = grant.split(", \"ssl_option\"").next().unwrap();
        assert_eq!(server.converge("mysql_grants.absent", grant).unwrap().len(), 1, "{name}");
        server.converge("mysql_database.absent", &format!(r#""name": {quoted}"#)).unwrap();
        server.converge("mysql_user.absent", &format!(r#""name": {quoted}, "host": "o'x%""#)).unwrap();
    }
    assert!(
        server.converge("mysql_user.present", r#""name": "victim", "password": "x""#).unwrap().is_empty()
    );
    assert!(!Path::new("x").exists());
}
