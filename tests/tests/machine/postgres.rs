//! `postgres_*` against a real PostgreSQL server: the machine's own or one unpacked from Debian's packages.

use crate::host::Host;
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use zester_compiler::types::Value;
use zester_tests::debian::Unpacked;

/// A server with a directory of its own; only its own superuser comes in without a password.
struct Server {
    host: Host,
    directory: TempDir,
    child: Child,
    user: String,
}

/// The newest directory of a server's programs.
fn programs(below: &Path) -> Option<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(below).ok()?.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    all.retain(|bin| bin.join("initdb").is_file());
    all.sort();
    all.pop()
}

/// Name and numbers of the user that a server runs as: it refuses to be root's.
fn account() -> Option<(String, u32, u32)> {
    let own = fs::metadata("/proc/self").ok()?.uid();
    let text = fs::read_to_string("/etc/passwd").ok()?;
    let of = |wanted: &dyn Fn(&[&str]) -> bool| {
        text.lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.len() > 3 && wanted(fields))
    };
    let fields = if own == 0 {
        of(&|fields| fields[0] == "postgres").or_else(|| of(&|fields| fields[0] == "nobody"))?
    } else {
        of(&|fields| fields[2] == own.to_string())?
    };
    Some((fields[0].to_owned(), fields[2].parse().ok()?, fields[3].parse().ok()?))
}

impl Server {
    fn start() -> Result<Self, String> {
        let own = programs(Path::new("/usr/lib/postgresql"));
        let unpacked = if own.is_none() { Some(Unpacked::of(&["postgresql"])?) } else { None };
        let bin = match &unpacked {
            None => own,
            Some(unpacked) => programs(&unpacked.path("usr/lib/postgresql")),
        };
        let bin = bin.ok_or("the packages have no server")?;
        let host = match &unpacked {
            None => Host::new(),
            Some(unpacked) => Host::with_programs(unpacked.commands()),
        };
        let (user, uid, gid) = account().ok_or("nobody can run the server")?;
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = directory.path().join("data");
        fs::create_dir(&data).unwrap();
        std::os::unix::fs::chown(&data, Some(uid), Some(gid)).unwrap();
        let command = |program: &str| {
            let mut command = Command::new(bin.join(program));
            command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if fs::metadata("/proc/self").unwrap().uid() != uid {
                command.uid(uid).gid(gid);
            }
            if let Some(unpacked) = &unpacked {
                command.env("LD_LIBRARY_PATH", unpacked.libraries());
            }
            command
        };
        let mut initdb = command("initdb");
        initdb.arg("--no-sync").args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        assert!(initdb.arg("--pgdata").arg(&data).status().unwrap().success(), "initdb failed");
        let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), rules).unwrap();
        let mut postgres = command("postgres");
        postgres.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"]).arg(&data);
        let child = postgres.spawn().unwrap();
        let mut server = Self { host, directory, child, user };
        let until = Instant::now() + Duration::from_secs(60);
        // The server says there that it answers.
        let ready = || {
            fs::read_to_string(data.join("postmaster.pid"))
                .is_ok_and(|t| t.lines().any(|l| l.trim() == "ready"))
        };
        while !ready() {
            assert!(Instant::now() < until, "the server does not start");
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    fn reach(&self) -> String {
        let socket = self.directory.path().join("data");
        format!(r#""db_host": "{}", "db_user": "postgres", "user": "{}""#, socket.display(), self.user)
    }

    #[track_caller]
    fn converge(&self, function: &str, args: &str) -> Result<zester_compiler::types::Map, String> {
        self.host.converge(function, &format!("{{{args}, {}}}", self.reach()))
    }

    /// Whether a role gets in with a password.
    fn lets_in(&self, role: &str, password: &str) -> bool {
        let args = format!(
            r#"{{"name": "zester-none", "db_host": "{}", "db_user": "{role}", "db_password": "{password}", "user": "{}"}}"#,
            self.directory.path().join("data").display(),
            self.user
        );
        self.host.converge("postgres_database.absent", &args).is_ok()
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
fn users_databases_extensions_and_privileges() {
    let Some(server) = server("postgres") else { return };
    let user = r#""name": "app", "password": "gehäim'\\", "createdb": true, "valid_until": "2099-01-01""#;
    let changes = server.converge("postgres_user.present", user).unwrap();
    assert!(changes.contains_key("app") && !format!("{changes:?}").contains("geh"), "{changes:?}");
    assert!(server.lets_in("app", r"gehäim'\\") && !server.lets_in("app", "other"));
    let other = r#""name": "app", "password": "neu", "createdb": false, "login": true"#;
    let changes = server.converge("postgres_user.present", other).unwrap();
    assert_eq!(changes.keys().collect::<Vec<_>>(), ["createdb", "password"]);
    assert!(server.lets_in("app", "neu"));
    let md5 = r#""name": "app", "password": "neu", "encrypted": "md5""#;
    assert_eq!(
        server.converge("postgres_user.present", md5).unwrap().keys().collect::<Vec<_>>(),
        ["password"]
    );
    let group = r#""name": "staff", "login": false"#;
    server.converge("postgres_user.present", group).unwrap();
    let member = r#""name": "app", "groups": "staff""#;
    assert_eq!(
        server.converge("postgres_user.present", member).unwrap().keys().collect::<Vec<_>>(),
        ["groups"]
    );

    let database = r#""name": "shop", "encoding": "UTF8", "template": "template0", "lc_collate": "C""#;
    assert!(server.converge("postgres_database.present", database).unwrap().contains_key("shop"));
    let wrong =
        server.converge("postgres_database.present", r#""name": "shop", "encoding": "LATIN1""#).unwrap_err();
    assert!(wrong.contains("has the encoding `UTF8`, not `LATIN1`"), "{wrong}");

    let extension = r#""name": "plpgsql", "maintenance_db": "shop""#;
    assert!(server.converge("postgres_extension.present", extension).unwrap().is_empty());
    assert!(server.converge("postgres_extension.absent", extension).unwrap().contains_key("plpgsql"));
    assert!(server.converge("postgres_extension.present", extension).unwrap().contains_key("plpgsql"));
    let unknown = r#""name": "zester-none", "maintenance_db": "shop""#;
    let refused = server.converge("postgres_extension.present", unknown).unwrap_err();
    assert!(refused.contains("zester-none"), "{refused}");

    // A table, a function and a sequence that no state makes.
    let sql = "CREATE TABLE \"Orders\" (id serial); CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n';";
    let run = format!(
        r#"{{"name": "psql --quiet --host={0} --username=postgres --dbname=shop", "stdin": {1}, "runas": "{2}"}}"#,
        server.directory.path().join("data").display(),
        serde_json::to_string(sql).unwrap(),
        server.user
    );
    let run: zester_compiler::types::Map = serde_json::from_str(&run).unwrap();
    let mut cx = server.host.cx.clone();
    cx.runas = Some(server.user.as_str().into());
    let command = server.host.library.build("cmd.run", &run).unwrap();
    command.plan(&cx).unwrap().apply.unwrap()(&cx).map_err(|e| e.message).unwrap();

    let grant = |kind: &str, object: &str, privileges: &str, more: &str| {
        format!(
            r#""name": "app", "object_type": "{kind}", "object_name": "{object}", "privileges": {privileges}, "maintenance_db": "shop"{more}"#
        )
    };
    let present = |args: String| server.converge("postgres_privileges.present", &args);
    let list = |words: &[&str]| Value::from(words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    let changes = present(grant("table", "Orders", r#"["SELECT", "insert"]"#, "")).unwrap();
    assert_eq!(changes["public.\"Orders\""].lookup("new", ':'), Some(&list(&["INSERT", "SELECT"])));
    let more = present(grant("table", "ALL", r#"["ALL"]"#, r#", "grant_option": true"#)).unwrap();
    assert_eq!(more["public.\"Orders\""].lookup("new", ':').unwrap().as_list().unwrap().len(), 7);
    assert_eq!(present(grant("sequence", "Orders_id_seq", r#"["USAGE"]"#, "")).unwrap().len(), 1);
    // Everybody may run it, `app` gets the right of its own.
    assert_eq!(present(grant("function", "twice(integer)", r#"["EXECUTE"]"#, "")).unwrap().len(), 1);
    assert_eq!(present(grant("schema", "public", r#"["CREATE"]"#, "")).unwrap().len(), 1);
    assert_eq!(present(grant("database", "shop", r#"["TEMP", "CREATE"]"#, "")).unwrap().len(), 1);
    assert_eq!(present(grant("language", "plpgsql", r#"["USAGE"]"#, "")).unwrap().len(), 1);
    assert_eq!(present(grant("tablespace", "pg_default", r#"["CREATE"]"#, "")).unwrap().len(), 1);
    assert!(present(grant("group", "staff", "[]", "")).unwrap().is_empty());
    assert_eq!(present(grant("group", "staff", "[]", r#", "grant_option": true"#)).unwrap().len(), 1);
    let none = present(grant("table", "orders", r#"["SELECT"]"#, "")).unwrap_err();
    assert_eq!(none, "there is no table `public.orders`");
    let odd = present(grant("function", "ALL", r#"["SELECT"]"#, "")).unwrap_err();
    assert_eq!(odd, "`SELECT` is no privilege of a function; those are EXECUTE");

    // The table's new owner cannot lose what it owns; the sequence goes with it.
    let owner = r#""name": "shop", "owner": "staff", "owner_recurse": true"#;
    assert!(server.converge("postgres_database.present", owner).unwrap().contains_key("owner"));
    let absent = |args: String| server.converge("postgres_privileges.absent", &args);
    let changes = absent(grant("table", "Orders", r#"["INSERT", "DELETE"]"#, "")).unwrap();
    assert!(!changes["public.\"Orders\""].lookup("new", ':').unwrap().to_string().contains("INSERT"));
    assert_eq!(absent(grant("group", "staff", "[]", "")).unwrap().len(), 1);

    let refused = server.converge("postgres_user.absent", r#""name": "app""#).unwrap_err();
    assert!(refused.contains("cannot be dropped because some objects depend on it"), "{refused}");
    server.converge("postgres_database.absent", r#""name": "shop""#).unwrap();
}

#[test]
fn names_are_names_whatever_they_hold() {
    let Some(server) = server("postgres names") else { return };
    server.converge("postgres_user.present", r#""name": "victim""#).unwrap();
    for name in [r#"a"; DROP ROLE victim; --"#, r"b'; DROP ROLE victim; --", r"c\! touch x", r":d", "host=x"]
    {
        let quoted = serde_json::to_string(name).unwrap();
        let role = format!(r#""name": {quoted}, "groups": ["victim"], "password": {quoted}"#);
        server.converge("postgres_user.present", &role).unwrap();
        let database = format!(r#""name": {quoted}, "owner": {quoted}"#);
        server.converge("postgres_database.present", &database).unwrap();
        let schema = format!(
            r#""name": {quoted}, "object_type": "schema", "object_name": "public", "privileges": ["CREATE"], "maintenance_db": {quoted}"#
        );
        server.converge("postgres_privileges.present", &schema).unwrap();
        let function = format!(
            r#""name": "public", "object_type": "function", "object_name": {quoted}, "privileges": ["ALL"]"#
        );
        let none = server.converge("postgres_privileges.present", &function).unwrap_err();
        assert!(none.contains("there is no function") || none.contains("PostgreSQL refuses"), "{none}");
        server.converge("postgres_database.absent", &format!(r#""name": {quoted}"#)).unwrap();
        server.converge("postgres_user.absent", &format!(r#""name": {quoted}"#)).unwrap();
    }
    assert!(server.converge("postgres_user.present", r#""name": "victim""#).unwrap().is_empty());
}
